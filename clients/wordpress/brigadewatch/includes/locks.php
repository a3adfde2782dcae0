<?php
/**
 * Locks that hold for all processes of a site, in the options table, as WordPress' own updates use them: any database
 * has them, and one whose process was killed ends by itself.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/**
 * Take a lock, or do not wait for it.
 *
 * @param string $name    What is locked.
 * @param int    $seconds After which it may be taken from whoever has it.
 * @return bool Whether it is ours now.
 */
function lock( $name, $seconds ) {
	global $wpdb;
	$row   = "brigadewatch_lock_$name";
	$value = ( time() + $seconds ) . ' ' . bin2hex( random_bytes( 8 ) );
	$taken = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'no')", $row, $value ) );
	if ( ! $taken ) {
		$taken = $wpdb->query( $wpdb->prepare( "UPDATE $wpdb->options SET option_value = %s WHERE option_name = %s AND CAST(SUBSTRING_INDEX(option_value, ' ', 1) AS UNSIGNED) < %d", $value, $row, time() ) );
	}
	if ( $taken ) {
		locks( $name, $value );
	}
	return (bool) $taken;
}

/**
 * Give a lock back, unless somebody else has taken it since.
 *
 * @param string $name What was locked.
 */
function unlock( $name ) {
	global $wpdb;
	$wpdb->delete(
		$wpdb->options,
		array(
			'option_name'  => "brigadewatch_lock_$name",
			'option_value' => locks( $name ),
		)
	);
}

/**
 * The locks of this process.
 *
 * @param string      $name  The lock.
 * @param string|null $value Its value from now on.
 * @return string Its value.
 */
function locks( $name, $value = null ) {
	static $ours = array();
	if ( null !== $value ) {
		$ours[ $name ] = $value;
	}
	return isset( $ours[ $name ] ) ? $ours[ $name ] : '';
}
