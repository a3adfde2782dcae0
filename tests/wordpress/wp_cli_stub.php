<?php
/**
 * A stand-in for WP-CLI, which Debian does not have: it keeps what a command says. What WP-CLI itself does with a
 * command's class (parsing arguments, help) is not tested.
 */

class WP_CLI {
	public static $said = array();

	public static function line( $text ) {
		self::$said[] = $text;
	}

	public static function warning( $text ) {
		self::$said[] = "Warning: $text";
	}

	public static function success( $text ) {
		self::$said[] = "Success: $text";
	}

	public static function error( $text ) {
		throw new RuntimeException( "Error: $text" );
	}

	public static function add_command( $name, $class ) {
		self::$said[] = "$name is $class";
	}
}

/** What a command of the plugin says. */
function tests_command( $name ) {
	$folder = dirname( Brigadewatch\FILE );
	foreach ( array( 'admin/comment-list', 'admin/site-health', 'includes/cli' ) as $part ) {
		require_once "$folder/$part.php";
	}
	try {
		( new Brigadewatch\Command() )->$name();
	} catch ( RuntimeException $error ) {
		WP_CLI::$said[] = $error->getMessage();
	}
	return WP_CLI::$said;
}
