<?php
/**
 * The plugin is deleted: so is what it stored, on each site of a network.
 *
 * @package Brigadewatch
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

/** Delete what this site has. */
function brigadewatch_uninstall_site() {
	global $wpdb;
	foreach ( array( 'reports', 'comments', 'queue' ) as $brigadewatch_name ) {
		$wpdb->query( "DROP TABLE IF EXISTS {$wpdb->prefix}brigadewatch_$brigadewatch_name" ); // phpcs:ignore WordPress.DB.PreparedSQL.InterpolatedNotPrepared -- fixed names.
	}
	$wpdb->query( "DELETE FROM $wpdb->options WHERE option_name = 'brigadewatch' OR option_name LIKE 'brigadewatch\\_%' OR option_name LIKE '\\_transient\\_brigadewatch\\_%' OR option_name LIKE '\\_transient\\_timeout\\_brigadewatch\\_%'" );
	$wpdb->query( "DELETE FROM $wpdb->commentmeta WHERE meta_key LIKE '\\_brigadewatch\\_%'" );
	wp_cache_flush();
	wp_clear_scheduled_hook( 'brigadewatch_minute' );
}

if ( is_multisite() ) {
	foreach ( get_sites(
		array(
			'fields' => 'ids',
			'number' => 0,
		)
	) as $brigadewatch_site ) {
		switch_to_blog( $brigadewatch_site );
		brigadewatch_uninstall_site();
		restore_current_blog();
	}
} else {
	brigadewatch_uninstall_site();
}
