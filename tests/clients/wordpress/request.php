<?php
/**
 * One request to the site: what to do comes as JSON on stdin, the page and what it took go as JSON to stdout.
 * {"database", "plugin", "constants", "do", "user", "address", "agent", "get", "post", "call", "fpm"}
 */

error_reporting( E_ALL );
set_error_handler( function ( $level, $message, $file, $line ) {
	fwrite( STDERR, "$message in $file:$line\n" );
	exit( 70 );  // whatever PHP complains about fails the test
} );
$asked = json_decode( stream_get_contents( STDIN ), true, 64, JSON_THROW_ON_ERROR );
require __DIR__ . '/shim.php';

$began = microtime( true );
$shim_finished = null;
$wpdb = new Shim_Database( $asked['database'] );
foreach ( $asked['constants'] as $name => $value ) {
	define( $name, $value );
}
if ( ! empty( $asked['fpm'] ) ) {
	function fastcgi_finish_request() {
		global $shim_finished;
		$shim_finished = microtime( true );
	}
}
$shim_user = $asked['user'] ?? 0;
// Core hands everything over with slashes.
$_GET     = wp_slash( $asked['get'] ?? array() );
$_POST    = wp_slash( $asked['post'] ?? array() );
$_REQUEST = $_POST + $_GET;
$_SERVER['REQUEST_METHOD']  = isset( $asked['post'] ) ? 'POST' : 'GET';
$_SERVER['REMOTE_ADDR']     = $asked['address'] ?? '192.0.2.1';
$_SERVER['HTTP_USER_AGENT'] = wp_slash( $asked['agent'] ?? 'Mozilla/5.0' );
if ( 'cron' === $asked['do'] ) {
	define( 'DOING_CRON', true );
}
if ( 'admin-post' === $asked['do'] ) {
	define( 'WP_ADMIN', true );
}

$shim_result = null;
ob_start();
register_shutdown_function( function () use ( $began ) {
	global $shim_page, $shim_finished, $shim_result;
	$body = ob_get_clean();
	do_action( 'shutdown' );
	$ended = microtime( true );
	fwrite( STDOUT, json_encode( array( 'body' => $body, 'result' => $shim_result, 'page_seconds' => ( $shim_finished ?? $ended ) - $began, 'seconds' => $ended - $began ) + $shim_page, JSON_PARTIAL_OUTPUT_ON_ERROR ) );
} );
ini_set( 'error_log', '/dev/stderr' );
require $asked['plugin'];
do_action( 'init' );

switch ( $asked['do'] ) {
	case 'front':
		$comment = get_comment( $asked['get']['comment'] );
		echo apply_filters( 'comment_text', $comment->comment_content, $comment, array() );
		break;
	case 'admin-post':
		do_action( ( $shim_user ? 'admin_post_' : 'admin_post_nopriv_' ) . ( $_REQUEST['action'] ?? '' ) );
		break;
	case 'admin':
		do_action( 'admin_notices' );
		do_action( 'manage_comments_custom_column', 'brigadewatch', $asked['get']['comment'] ?? 0 );
		$comment = get_comment( $asked['get']['comment'] ?? 0 );
		echo implode( ' ', apply_filters( 'comment_row_actions', array(), $comment ) );
		break;
	case 'cron':
		foreach ( get_option( 'cron', array() ) as $hook => $at ) {
			do_action( $hook );
		}
		break;
	case 'call':
		$shim_result = $asked['call'][0]( ...array_slice( $asked['call'], 1 ) );
		break;
}
