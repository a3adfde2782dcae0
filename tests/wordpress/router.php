<?php
/**
 * What a web server does before WordPress, for PHP's own server. Each reader has an address of its own, in the header
 * X-Test-IP.
 */

if ( isset( $_SERVER['HTTP_X_TEST_IP'] ) ) {
	$_SERVER['REMOTE_ADDR'] = $_SERVER['HTTP_X_TEST_IP'];
}
$asked = parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$path  = $asked;
if ( getenv( 'WORDPRESS_TESTS_MULTISITE' ) ) { // Sites in folders: /second/wp-admin/ is /wp-admin/.
	$path = preg_replace( '~^/(?!wp-)[_0-9a-z-]+(/(wp-(content|admin|includes)/.*|[^/]+\.php))$~', '$1', $path );
}
$file = $_SERVER['DOCUMENT_ROOT'] . $path;
if ( is_dir( $file ) ) {
	$file = rtrim( $file, '/' ) . '/index.php';
}
if ( is_file( $file ) && '.php' !== substr( $file, -4 ) ) {
	if ( $path === $asked ) {
		return false;
	}
	header( 'Content-Type: ' . ( '.css' === substr( $file, -4 ) ? 'text/css' : 'text/javascript' ) );
	readfile( $file );
	return true;
}
if ( ! is_file( $file ) ) {
	$file = $_SERVER['DOCUMENT_ROOT'] . '/index.php';
}
$_SERVER['SCRIPT_FILENAME'] = $file;
$_SERVER['SCRIPT_NAME']     = substr( $file, strlen( $_SERVER['DOCUMENT_ROOT'] ) );
$_SERVER['PHP_SELF']        = $_SERVER['SCRIPT_NAME'];
chdir( dirname( $file ) );
require $file;
