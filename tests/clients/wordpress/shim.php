<?php
/**
 * As much of WordPress as the plugin touches, on SQLite (tests/wordpress_site.py makes the tables): hooks, comments with their states, options, transients, cron,
 * nonces, and the HTTP API with curl. It follows core where that matters: the states and hooks of comments, the
 * order in which a deletion loses its meta, and the one second to which core raises every time-out.
 */

define( 'ABSPATH', __DIR__ . '/' );
define( 'HOUR_IN_SECONDS', 3600 );
define( 'SITE', 'https://news.example' );

// -- Hooks

$shim_hooks = array();
$shim_done  = array();

function add_filter( $name, $call, $priority = 10, $arguments = 1 ) {
	global $shim_hooks;
	$shim_hooks[ $name ][ $priority ][] = array( $call, $arguments );
	ksort( $shim_hooks[ $name ] );
}
function add_action( $name, $call, $priority = 10, $arguments = 1 ) {
	add_filter( $name, $call, $priority, $arguments );
}
function apply_filters( $name, $value, ...$more ) {
	global $shim_hooks;
	foreach ( isset( $shim_hooks[ $name ] ) ? $shim_hooks[ $name ] : array() as $calls ) {
		foreach ( $calls as list( $call, $count ) ) {
			$value = $call( ...array_slice( array_merge( array( $value ), $more ), 0, $count ) );
		}
	}
	return $value;
}
function do_action( $name, ...$arguments ) {
	global $shim_hooks, $shim_done;
	$shim_done[ $name ] = 1 + ( isset( $shim_done[ $name ] ) ? $shim_done[ $name ] : 0 );
	foreach ( isset( $shim_hooks[ $name ] ) ? $shim_hooks[ $name ] : array() as $calls ) {
		foreach ( $calls as list( $call, $count ) ) {
			$call( ...array_slice( $arguments, 0, $count ) );
		}
	}
}
function did_action( $name ) {
	global $shim_done;
	return isset( $shim_done[ $name ] ) ? $shim_done[ $name ] : 0;
}

// -- The database

class Shim_Database {
	public $options = 'wp_options';
	private $pdo;

	public function __construct( $path ) {
		$this->pdo = new PDO( "sqlite:$path", null, null, array( PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_OBJ, PDO::ATTR_TIMEOUT => 20 ) );
		$this->pdo->exec( 'PRAGMA synchronous = OFF' );
	}
	public function ask( $sql, ...$values ) {
		$statement = $this->pdo->prepare( $sql );
		$statement->execute( $values );
		return $statement->fetchAll();
	}
	public function prepare( $sql, ...$values ) {
		foreach ( $values as $value ) {
			$sql = preg_replace_callback( '/%[sd]/', function ( $found ) use ( $value ) {
				return '%d' === $found[0] ? (string) (int) $value : str_replace( '%', "\x01", $this->pdo->quote( $value ) );
			}, $sql, 1 );
		}
		return str_replace( "\x01", '%', $sql );
	}
	public function get_results( $sql ) {
		return $this->ask( $sql );
	}
	public function get_var( $sql ) {
		$rows = $this->ask( $sql );
		return $rows ? current( (array) $rows[0] ) : null;
	}
}

// -- Options, transients, cron

function get_option( $name, $default = false ) {
	global $wpdb;
	$rows = $wpdb->ask( 'SELECT option_value FROM wp_options WHERE option_name = ?', $name );
	return $rows ? ( preg_match( '/^([abisd]:|N;)/', $rows[0]->option_value ) ? unserialize( $rows[0]->option_value, array( 'allowed_classes' => false ) ) : $rows[0]->option_value ) : $default;
}
function add_option( $name, $value = '', $deprecated = '', $autoload = null ) {
	global $wpdb;
	$wpdb->ask( 'INSERT OR IGNORE INTO wp_options (option_name, option_value) VALUES (?, ?)', $name, is_string( $value ) ? $value : serialize( $value ) );
	return true;
}
function update_option( $name, $value, $autoload = null ) {
	global $wpdb;
	$wpdb->ask( 'INSERT INTO wp_options (option_name, option_value) VALUES (?, ?) ON CONFLICT (option_name) DO UPDATE SET option_value = excluded.option_value', $name, is_string( $value ) ? $value : serialize( $value ) );
	return true;
}
function delete_option( $name ) {
	global $wpdb;
	$wpdb->ask( 'DELETE FROM wp_options WHERE option_name = ?', $name );
	return true;
}
function get_transient( $name ) {
	$kept = get_option( "_transient_$name" );
	return is_array( $kept ) && $kept[1] > time() ? $kept[0] : false;
}
function set_transient( $name, $value, $seconds = 0 ) {
	return update_option( "_transient_$name", array( $value, time() + $seconds ) );
}
function delete_transient( $name ) {
	return delete_option( "_transient_$name" );
}
function wp_next_scheduled( $hook ) {
	$cron = get_option( 'cron', array() );
	return isset( $cron[ $hook ] ) ? $cron[ $hook ] : false;
}
function wp_schedule_event( $at, $recurrence, $hook ) {
	$schedules = apply_filters( 'cron_schedules', array( 'hourly' => array( 'interval' => 3600 ) ) );
	if ( ! isset( $schedules[ $recurrence ] ) ) {
		return false;
	}
	return update_option( 'cron', array( $hook => $at ) + get_option( 'cron', array() ) );
}
function wp_doing_cron() {
	return defined( 'DOING_CRON' ) && DOING_CRON;
}

// -- Comments

function get_comment( $comment ) {
	global $wpdb;
	if ( is_object( $comment ) ) {
		return $comment;
	}
	$rows = $wpdb->ask( 'SELECT * FROM wp_comments WHERE comment_ID = ?', $comment );
	return $rows ? $rows[0] : null;
}
function get_comments( $asked ) {
	global $wpdb;
	return $wpdb->ask(
		'SELECT c.* FROM wp_comments c JOIN wp_commentmeta m ON m.comment_id = c.comment_ID WHERE m.meta_key = ? AND m.meta_value = ? AND c.comment_approved = ? LIMIT ?',
		$asked['meta_key'], $asked['meta_value'], array( 'approve' => '1', 'hold' => '0' )[ $asked['status'] ], $asked['number']
	);
}
function get_comment_link( $comment ) {
	return SITE . "/?p={$comment->comment_post_ID}#comment-{$comment->comment_ID}";
}
function get_comment_meta( $id, $key, $single = false ) {
	global $wpdb;
	$values = array_column( $wpdb->ask( 'SELECT meta_value FROM wp_commentmeta WHERE comment_id = ? AND meta_key = ? ORDER BY meta_id', $id, $key ), 'meta_value' );
	return $single ? ( isset( $values[0] ) ? $values[0] : '' ) : $values;
}
function add_comment_meta( $id, $key, $value ) {
	global $wpdb;
	$wpdb->ask( 'INSERT INTO wp_commentmeta (comment_id, meta_key, meta_value) VALUES (?, ?, ?)', $id, $key, wp_unslash( $value ) );  // core takes slashes off
}
function update_comment_meta( $id, $key, $value ) {
	delete_comment_meta( $id, $key );
	add_comment_meta( $id, $key, $value );
}
function delete_comment_meta( $id, $key ) {
	global $wpdb;
	$wpdb->ask( 'DELETE FROM wp_commentmeta WHERE comment_id = ? AND meta_key = ?', $id, $key );
}
function wp_set_comment_status( $id, $status ) {
	global $wpdb;
	$stored = array( 'hold' => '0', 'approve' => '1', 'spam' => 'spam', 'trash' => 'trash' )[ $status ];
	$old    = get_comment( $id );
	$wpdb->ask( 'UPDATE wp_comments SET comment_approved = ? WHERE comment_ID = ?', $stored, $id );
	do_action( 'wp_set_comment_status', $id, $status );
	wp_transition_comment_status( $status, $old->comment_approved, get_comment( $id ) );
	return true;
}
function wp_transition_comment_status( $new, $old, $comment ) {
	$names = array( '0' => 'unapproved', 'hold' => 'unapproved', '1' => 'approved', 'approve' => 'approved' );
	$new   = isset( $names[ $new ] ) ? $names[ $new ] : $new;
	$old   = isset( $names[ $old ] ) ? $names[ $old ] : $old;
	if ( $new !== $old ) {
		do_action( 'transition_comment_status', $new, $old, $comment );
	}
}
function wp_delete_comment( $id, $force = false ) {
	global $wpdb;
	$comment = get_comment( $id );
	if ( ! $force && ! in_array( $comment->comment_approved, array( 'trash', 'spam' ), true ) ) {
		return wp_set_comment_status( $id, 'trash' );
	}
	do_action( 'delete_comment', $id, $comment );
	$wpdb->ask( 'DELETE FROM wp_commentmeta WHERE comment_id = ?', $id );
	$wpdb->ask( 'DELETE FROM wp_comments WHERE comment_ID = ?', $id );
	do_action( 'deleted_comment', $id, $comment );
	wp_transition_comment_status( 'delete', $comment->comment_approved, $comment );
	return true;
}
function wp_delete_post( $post ) {
	global $wpdb;
	do_action( 'before_delete_post', $post );
	foreach ( $wpdb->ask( 'SELECT comment_ID FROM wp_comments WHERE comment_post_ID = ?', $post ) as $row ) {
		wp_delete_comment( $row->comment_ID, true );
	}
}
function is_post_publicly_viewable( $post ) {
	return 950 !== $post;  // that one is private
}

// -- People

$shim_user = 0;

function get_current_user_id() {
	global $shim_user;
	return $shim_user;
}
function get_userdata( $id ) {
	global $wpdb;
	$rows = $wpdb->ask( 'SELECT * FROM wp_users WHERE ID = ?', $id );
	return $rows ? $rows[0] : false;
}
function current_user_can( $what ) {
	$user = get_userdata( get_current_user_id() );
	return 'moderate_comments' === $what && $user && $user->moderates;
}
function wp_salt( $scheme = 'auth' ) {
	return "the salt of this site for $scheme";
}
function wp_create_nonce( $action ) {
	return substr( hash_hmac( 'sha256', floor( time() / 43200 ) . "|$action|" . get_current_user_id(), wp_salt( 'nonce' ) ), 0, 10 );
}
function wp_verify_nonce( $nonce, $action ) {
	return hash_equals( wp_create_nonce( $action ), (string) $nonce ) ? 1 : false;
}
function wp_nonce_field( $action, $name, $referer = true, $display = true ) {
	return '<input type="hidden" name="' . $name . '" value="' . wp_create_nonce( $action ) . '">';
}
function wp_nonce_url( $url, $action ) {
	return add_query_arg( array( '_wpnonce' => wp_create_nonce( $action ) ), $url );
}
function check_admin_referer( $action ) {
	if ( ! wp_verify_nonce( isset( $_REQUEST['_wpnonce'] ) ? $_REQUEST['_wpnonce'] : '', $action ) ) {
		wp_die( 'The link you followed has expired.', '', array( 'response' => 403 ) );
	}
}

// -- Pages

$shim_page = array( 'status' => 200, 'location' => null );

function is_admin() {
	return defined( 'WP_ADMIN' );
}
function is_feed() {
	return false;
}
function admin_url( $path = '' ) {
	return SITE . "/wp-admin/$path";
}
function add_query_arg( $values, $url ) {
	return $url . ( false === strpos( $url, '?' ) ? '?' : '&' ) . http_build_query( $values );
}
function untrailingslashit( $value ) {
	return rtrim( $value, '/\\' );
}
function wp_die( $message = '', $title = '', $arguments = array() ) {
	global $shim_page;
	$shim_page['status'] = isset( $arguments['response'] ) ? $arguments['response'] : 500;
	echo "<!doctype html><title>$title</title>$message";
	exit;
}
function wp_safe_redirect( $location ) {
	global $shim_page;
	$shim_page = array( 'status' => 302, 'location' => $location );
}
function esc_html( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES, 'UTF-8' );
}
function esc_attr( $text ) {
	return esc_html( $text );
}
function esc_url( $url ) {
	return str_replace( array( '&', "'", '"', '<', '>' ), array( '&#038;', '&#039;', '%22', '%3C', '%3E' ), $url );
}
function __( $text ) {
	return $text;
}
function esc_html__( $text ) {
	return esc_html( $text );
}
function wp_slash( $value ) {
	return is_array( $value ) ? array_map( 'wp_slash', $value ) : ( is_string( $value ) ? addslashes( $value ) : $value );
}
function wp_unslash( $value ) {
	return is_array( $value ) ? array_map( 'wp_unslash', $value ) : ( is_string( $value ) ? stripslashes( $value ) : $value );
}
function wp_check_invalid_utf8( $text, $strip = false ) {
	return preg_match( '//u', $text ) ? $text : ( $strip ? iconv( 'utf-8', 'utf-8//IGNORE', $text ) : '' );
}
if ( ! function_exists( 'mb_substr' ) ) {  // core brings this too
	function mb_substr( $text, $start, $length ) {
		return implode( '', array_slice( preg_split( '//u', $text, -1, PREG_SPLIT_NO_EMPTY ), $start, $length ) );
	}
}
function sanitize_textarea_field( $text ) {
	return trim( preg_replace( '/[\x00-\x08\x0b\x0c\x0e-\x1f]/', '', strip_tags( wp_check_invalid_utf8( $text ) ) ) );
}
function sanitize_text_field( $text ) {
	return trim( preg_replace( '/[\r\n\t ]+/', ' ', sanitize_textarea_field( $text ) ) );
}
function wp_json_encode( $value ) {
	return json_encode( $value );
}
function wp_generate_uuid4() {
	$hex = bin2hex( random_bytes( 16 ) );
	return substr( $hex, 0, 8 ) . '-' . substr( $hex, 8, 4 ) . '-4' . substr( $hex, 13, 3 ) . '-a' . substr( $hex, 17, 3 ) . '-' . substr( $hex, 20 );
}

// -- The HTTP API, over curl, with core's floor of one second

class WP_Error {
	private $message;
	public function __construct( $code, $message ) {
		$this->message = $message;
	}
	public function get_error_message() {
		return $this->message;
	}
}
function is_wp_error( $value ) {
	return $value instanceof WP_Error;
}
function wp_remote_request( $url, $arguments ) {
	$handle  = curl_init();
	$seen    = array();
	$headers = array();
	foreach ( $arguments['headers'] as $name => $value ) {
		$headers[] = "$name: $value";
	}
	curl_setopt_array( $handle, array(
		CURLOPT_URL => $url, CURLOPT_CUSTOMREQUEST => $arguments['method'], CURLOPT_HTTPHEADER => $headers, CURLOPT_RETURNTRANSFER => true, CURLOPT_FOLLOWLOCATION => false, CURLOPT_PROXY => '',
		CURLOPT_TIMEOUT_MS => round( 1000 * max( $arguments['timeout'], 1 ) ), CURLOPT_CONNECTTIMEOUT_MS => 10000,
		CURLOPT_HEADERFUNCTION => function ( $ignored, $line ) use ( &$seen ) {
			$parts = explode( ':', $line, 2 );
			if ( isset( $parts[1] ) ) {
				$seen[ strtolower( trim( $parts[0] ) ) ] = trim( $parts[1] );
			}
			return strlen( $line );
		},
	) );
	if ( null !== $arguments['body'] ) {
		curl_setopt( $handle, CURLOPT_POSTFIELDS, $arguments['body'] );
	}
	do_action( 'http_api_curl', $handle, $arguments, $url );
	$body = curl_exec( $handle );
	if ( false === $body ) {
		return new WP_Error( 'http_request_failed', 'cURL error ' . curl_errno( $handle ) . ': ' . curl_error( $handle ) );
	}
	return array( 'response' => array( 'code' => curl_getinfo( $handle, CURLINFO_RESPONSE_CODE ) ), 'body' => substr( $body, 0, $arguments['limit_response_size'] ), 'headers' => $seen );
}
function wp_remote_retrieve_response_code( $answer ) {
	return $answer['response']['code'];
}
function wp_remote_retrieve_body( $answer ) {
	return $answer['body'];
}
function wp_remote_retrieve_header( $answer, $name ) {
	return isset( $answer['headers'][ $name ] ) ? $answer['headers'][ $name ] : '';
}
