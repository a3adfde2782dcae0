<?php
/**
 * What happens each minute, and what happens when the plugin comes and goes.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const EVENT = 'brigadewatch_minute';

/**
 * WordPress knows no interval of a minute.
 *
 * @param array $schedules The intervals.
 * @return array
 */
function schedules( $schedules ) {
	$schedules[ EVENT ] = array(
		'interval' => MINUTE_IN_SECONDS,
		'display'  => did_action( 'init' ) ? __( 'Every minute', 'brigadewatch' ) : 'Every minute', // Other plugins ask earlier than anything may be translated.
	);
	return $schedules;
}

/** Have cron call each_minute(), once everything is set. */
function ensure_event() {
	if ( is_configured() && ! wp_installing() && ! wp_next_scheduled( EVENT ) ) {
		wp_schedule_event( time(), EVENT, EVENT );
	}
}

/** Send what waits, ask again about comments without an answer, and restore what was hidden by a group alone. */
function each_minute() {
	if ( ! is_configured() ) {
		return;
	}
	send( 40, 10.0 );
	ask_again();
	send( 1, 10.0 ); // What was hidden just now.
	follow_restorations();
	send_letters();
}

/** Ask about comments that wait, those first that were not asked about for the longest. */
function ask_again() {
	global $wpdb;
	$since = microtime( true );
	$ids   = $wpdb->get_col( $wpdb->prepare( "SELECT comment_id FROM {$wpdb->brigadewatch_comments} WHERE state = 'waiting' ORDER BY asked_at LIMIT %d", 200 ) );
	update_option( WAITING, array_fill_keys( array_map( 'intval', $ids ), 1 ), true );
	foreach ( $ids as $id ) {
		if ( microtime( true ) - $since > 30 ) {
			return; // The rest in a minute.
		}
		consider( (int) $id, (float) setting( 'timeout' ) );
	}
}

/**
 * What the plugin leaves behind for a time, when it is deactivated.
 *
 * @param bool $network_wide On each site of a network.
 */
function on_deactivation( $network_wide = false ) {
	$sites = is_multisite() && $network_wide ? get_sites(
		array(
			'fields' => 'ids',
			'number' => 0,
		)
	) : array( get_current_blog_id() );
	foreach ( $sites as $site ) {
		if ( is_multisite() ) {
			switch_to_blog( $site );
		}
		wp_clear_scheduled_hook( EVENT );
		delete_transient( PAUSE );
		delete_option( WAITING );
		if ( is_multisite() ) {
			restore_current_blog();
		}
	}
}

/** Translations that come with the plugin. */
function load_translations() {
	$folder = dirname( plugin_basename( FILE ) ) . '/languages';
	if ( 0 === strpos( wp_normalize_path( FILE ), wp_normalize_path( WPMU_PLUGIN_DIR ) . '/' ) ) {
		load_muplugin_textdomain( 'brigadewatch', $folder );
	} else {
		load_plugin_textdomain( 'brigadewatch', false, $folder ); // phpcs:ignore PluginCheck.CodeAnalysis.DiscouragedFunctions.load_plugin_textdomainFound -- translations are in the plugin.
	}
}

add_filter( 'cron_schedules', __NAMESPACE__ . '\schedules' ); // phpcs:ignore WordPress.WP.CronInterval.ChangeDetected -- one indexed query a minute where nothing is due.
add_action( EVENT, __NAMESPACE__ . '\each_minute' );
add_action( 'init', __NAMESPACE__ . '\load_translations', 0 );
add_action( 'init', __NAMESPACE__ . '\ensure_event', 20 );
register_deactivation_hook( FILE, __NAMESPACE__ . '\on_deactivation' );
