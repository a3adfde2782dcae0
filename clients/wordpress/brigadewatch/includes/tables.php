<?php
/**
 * The plugin's tables, and what earlier versions kept elsewhere.
 *
 * `reports`: one row for each reader who reported a comment, the evidence that moderators see. `comments`: what is going
 * on with a reported comment. `queue`: what is still to be sent, in order.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const TABLES_VERSION = 1;
const TABLES_OPTION  = 'brigadewatch_tables';

/** WordPress knows the tables as its own: their names follow the site of a network, and go when that site is deleted. */
function register_tables() {
	global $wpdb;
	foreach ( array( 'reports', 'comments', 'queue' ) as $name ) {
		$wpdb->tables[]               = "brigadewatch_$name";
		$wpdb->{"brigadewatch_$name"} = $wpdb->prefix . "brigadewatch_$name";
	}
}

/**
 * Create or change the tables where this version has not done so yet. A must-use plugin has no activation, and a network
 * gets new sites at any time, so each request looks; that costs nothing, since the option is loaded with all the others.
 */
function ensure_tables() {
	if ( wp_installing() || (int) get_option( TABLES_OPTION ) === TABLES_VERSION ) {
		return;
	}
	if ( ! lock( 'tables', 60 ) ) {
		return;
	}
	global $wpdb;
	require_once ABSPATH . 'wp-admin/includes/upgrade.php';
	$charset = $wpdb->get_charset_collate();
	dbDelta(
		array(
			"CREATE TABLE {$wpdb->brigadewatch_reports} (
				id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
				comment_id bigint(20) unsigned NOT NULL,
				mark char(32) NOT NULL,
				user_id bigint(20) unsigned NOT NULL DEFAULT 0,
				guest char(32) NOT NULL DEFAULT '',
				address char(32) NOT NULL DEFAULT '',
				reason varchar(20) NOT NULL DEFAULT '',
				text text NOT NULL,
				reported_at bigint(20) unsigned NOT NULL,
				PRIMARY KEY  (id),
				UNIQUE KEY comment_mark (comment_id,mark),
				KEY address_time (address,reported_at),
				KEY user_id (user_id)
			) $charset;",
			"CREATE TABLE {$wpdb->brigadewatch_comments} (
				comment_id bigint(20) unsigned NOT NULL,
				state varchar(10) NOT NULL DEFAULT '',
				people int(10) unsigned NOT NULL DEFAULT 0,
				waiting_since bigint(20) unsigned NOT NULL DEFAULT 0,
				asked_at bigint(20) unsigned NOT NULL DEFAULT 0,
				decided varchar(10) NOT NULL DEFAULT '',
				hidden tinyint(1) NOT NULL DEFAULT 0,
				verdicts text NOT NULL,
				advice text NOT NULL,
				PRIMARY KEY  (comment_id),
				KEY state (state,asked_at)
			) $charset;",
			"CREATE TABLE {$wpdb->brigadewatch_queue} (
				id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
				comment_id bigint(20) unsigned NOT NULL DEFAULT 0,
				kind varchar(10) NOT NULL,
				line mediumtext NOT NULL,
				queued_at bigint(20) unsigned NOT NULL,
				PRIMARY KEY  (id),
				KEY comment_kind (comment_id,kind)
			) $charset;",
		)
	);
	if ( ! $wpdb->get_var( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( $wpdb->brigadewatch_queue ) ) ) ) {
		complain( "the tables could not be made: $wpdb->last_error" );
		return; // Another request tries again once the lock has expired.
	}
	take_over_version_0();
	update_option( TABLES_OPTION, TABLES_VERSION, true );
	unlock( 'tables' );
}

/**
 * What version 0.1 kept in comment meta and in the options table: who reported what, verdicts, and items not sent yet.
 * A guest's mark is made as it was then, so that nobody counts twice; addresses were not kept, so each counts as another.
 */
function take_over_version_0() {
	global $wpdb;
	$wpdb->query(
		"INSERT IGNORE INTO {$wpdb->brigadewatch_reports} (comment_id, mark, address, text, reported_at)
		SELECT m.comment_id, m.meta_value, m.meta_value, '', UNIX_TIMESTAMP() FROM $wpdb->commentmeta m WHERE m.meta_key = '_brigadewatch_reporter' AND LENGTH(m.meta_value) = 32"
	);
	$wpdb->query(
		"INSERT IGNORE INTO {$wpdb->brigadewatch_comments} (comment_id, people, verdicts, advice)
		SELECT comment_id, COUNT(*), '', '' FROM {$wpdb->brigadewatch_reports} GROUP BY comment_id"
	);
	$wpdb->query(
		"UPDATE {$wpdb->brigadewatch_comments} c JOIN $wpdb->commentmeta m ON m.comment_id = c.comment_id AND m.meta_key = '_brigadewatch_decided' SET c.state = 'judged', c.decided = LEFT(m.meta_value, 10)"
	);
	$rows = $wpdb->get_results( "SELECT option_name, option_value FROM $wpdb->options WHERE option_name LIKE 'brigadewatch\\_queue\\_%' ORDER BY option_id" );
	foreach ( $rows as $row ) {
		$item = json_decode( $row->option_value, true );
		if ( isset( $item['kind'], $item['line'] ) && in_array( $item['kind'], array( 'complaints', 'outcomes' ), true ) ) {
			enqueue_line( $item['kind'], (int) comment_of_line( $item['line'] ), $item['line'] );
		}
		delete_option( $row->option_name );
	}
	$wpdb->query( "DELETE FROM $wpdb->commentmeta WHERE meta_key LIKE '\\_brigadewatch\\_%'" );
	wp_clear_scheduled_hook( 'brigadewatch_each_minute' );
	delete_option( 'brigadewatch_refused' );
}

/**
 * The comment that a queued line is about; version 0.1 knew no networks of sites.
 *
 * @param string $line A complaint or an outcome as JSON.
 * @return int 0 if it names none.
 */
function comment_of_line( $line ) {
	$item   = json_decode( $line, true );
	$target = isset( $item['target']['id'] ) ? $item['target']['id'] : ( isset( $item['target_id'] ) ? $item['target_id'] : '' );
	return is_string( $target ) && ctype_digit( $target ) ? (int) $target : 0;
}

register_tables();
add_action( 'init', __NAMESPACE__ . '\ensure_tables', 1 );
