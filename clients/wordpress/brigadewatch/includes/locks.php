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
	$taken = repeated( $wpdb->prepare( "INSERT IGNORE INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'no')", $row, $value ) );
	if ( ! $taken ) {
		$taken = repeated( $wpdb->prepare( "UPDATE $wpdb->options SET option_value = %s WHERE option_name = %s AND CAST(SUBSTRING_INDEX(option_value, ' ', 1) AS UNSIGNED) < %d", $value, $row, time() ) );
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
	repeated( $wpdb->prepare( "DELETE FROM $wpdb->options WHERE option_name = %s AND option_value = %s", "brigadewatch_lock_$name", locks( $name ) ) );
}

/**
 * Run a statement that others may run at the same moment. InnoDB ends one of those that wait for each other with the
 * error "Deadlock found": that one is run again, and if it is ended each time, the others have what it wanted.
 *
 * @param string $statement A prepared statement, outside of a transaction.
 * @return int|bool What wpdb::query() returned. False after it was ended each time.
 */
function repeated( $statement ) {
	global $wpdb;
	$loud  = $wpdb->suppress_errors( true );
	$tries = 0;
	do {
		$done  = $wpdb->query( $statement ); // phpcs:ignore WordPress.DB.PreparedSQL.NotPrepared -- the callers prepare it.
		$ended = false === $done && was_ended_for_others();
	} while ( $ended && ++$tries < 5 );
	$wpdb->suppress_errors( $loud );
	if ( false === $done && ! $ended ) {
		$wpdb->print_error();
	}
	return $done;
}

/**
 * Whether the last statement was ended by the database in favour of others that ran at the same moment: error 1213, a
 * deadlock, or 1205, the time of waiting is up.
 *
 * @return bool
 */
function was_ended_for_others() {
	global $wpdb;
	return $wpdb->dbh instanceof \mysqli && in_array( mysqli_errno( $wpdb->dbh ), array( 1205, 1213 ), true );
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
