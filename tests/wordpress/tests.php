<?php
/**
 * Plugin Name: What the tests need inside a WordPress.
 *
 * A must-use plugin of the sites of the tests, beside the one that is tested.
 */

// What WordPress asks of its makers is answered by nobody, without a word in the log.
add_filter(
	'pre_http_request',
	function ( $answer, $how, $url ) {
		$none = array(
			'headers'  => array(),
			'body'     => '',
			'cookies'  => array(),
			'response' => array(
				'code'    => 503,
				'message' => '',
			),
		);
		return '127.0.0.1' === parse_url( $url, PHP_URL_HOST ) ? $answer : $none;
	},
	10,
	3
);

// The dashboard's news are another host's; a browser asks for them.
add_action(
	'wp_dashboard_setup',
	function () {
		remove_meta_box( 'dashboard_primary', 'dashboard', 'side' );
	}
);

// Behind nginx, cron goes on after its answer: the tests wait for this.
add_action(
	'shutdown',
	function () {
		if ( wp_doing_cron() ) {
			update_option( 'tests_cron_runs', 1 + (int) get_option( 'tests_cron_runs' ), false );
		}
	},
	1000
);

// A plugin that marks a whole queue as spam in a moderator's request, as Akismet's "Check for Spam" does.
add_action(
	'wp_ajax_akismet_recheck_queue',
	function () {
		array_map( 'wp_spam_comment', array_map( 'intval', explode( ',', $_POST['all'] ) ) );
		wp_send_json_success();
	}
);

/** No reports, no queue, no locks, no pause, and these settings. */
function tests_start_over( $settings ) {
	global $wpdb;
	update_option( 'brigadewatch', $settings );
	foreach ( array( 'reports', 'comments', 'queue' ) as $name ) {
		$wpdb->query( 'DELETE FROM ' . $wpdb->prefix . "brigadewatch_$name" );
	}
	$wpdb->query( "DELETE FROM $wpdb->options WHERE option_name LIKE 'brigadewatch_lock%'" );
	array_map( 'delete_option', array( 'brigadewatch_waiting', 'brigadewatch_refused', 'brigadewatch_forget_refused' ) );
	delete_transient( 'brigadewatch_pause' );
}

/** The rows of one of the plugin's tables. */
function tests_rows( $name ) {
	global $wpdb;
	return $wpdb->get_results( 'SELECT * FROM ' . $wpdb->prefix . "brigadewatch_$name" . ' ORDER BY 1', ARRAY_A );
}

/** A column of one of the plugin's tables, set in all its rows. */
function tests_set( $name, $column, $value ) {
	global $wpdb;
	return $wpdb->query( $wpdb->prepare( 'UPDATE ' . $wpdb->prefix . "brigadewatch_$name" . " SET $column = %s", $value ) );
}

/** So many visible comments below a post, an hour old, by a guest unless told otherwise; their ids. */
function tests_comments( $post, $count, $values ) {
	$ids = array();
	for ( $k = 0; $k < $count; $k++ ) {
		$ids[] = wp_insert_comment(
			$values + array(
				'comment_post_ID'      => $post,
				'comment_content'      => "I disagree, number $k.",
				'comment_approved'     => 1,
				'comment_author'       => 'Bea',
				'comment_author_email' => 'bea@example.org',
				'comment_author_IP'    => '192.0.2.77',
				'comment_date'         => gmdate( 'Y-m-d H:i:s', time() - 3600 ),
				'comment_date_gmt'     => gmdate( 'Y-m-d H:i:s', time() - 3600 ),
			)
		);
	}
	return $ids;
}

/** A user; the id, or what is wrong. */
function tests_user( $name, $password, $role, $registered ) {
	$made = wp_insert_user(
		array(
			'user_login'      => $name,
			'user_pass'       => $password,
			'role'            => $role,
			'user_email'      => "$name@example.org",
			'user_registered' => $registered,
		)
	);
	return is_wp_error( $made ) ? $made->get_error_message() : $made;
}

/** A published post; its id. */
function tests_post( $title, $author ) {
	return wp_insert_post(
		array(
			'post_title'     => $title,
			'post_content'   => $title,
			'post_status'    => 'publish',
			'post_author'    => $author,
			'comment_status' => 'open',
		)
	);
}

/** Each event of the plugin counts as due. */
function tests_events_are_due() {
	$due = array();
	foreach ( _get_cron_array() as $at => $hooks ) {
		foreach ( $hooks as $hook => $event ) {
			$due[ 0 === strpos( $hook, 'brigadewatch' ) ? 1 : $at ][ $hook ] = $event;
		}
	}
	ksort( $due ); // WordPress looks no further than the first that is not due.
	_set_cron_array( $due );
}

/** A network out of a single site, as Tools › Network Setup makes it. */
function tests_make_network() {
	global $wpdb;
	foreach ( $wpdb->tables( 'ms_global' ) as $name => $table ) {
		$wpdb->$name = $table;
	}
	require_once ABSPATH . 'wp-admin/includes/network.php';
	require_once ABSPATH . 'wp-admin/includes/upgrade.php';
	install_network();
	return populate_network( 1, '127.0.0.1', 'editor@example.org', 'The News', '/', false );
}

/** Activate the plugin, for the whole network where there is one; what is wrong, or null. */
function tests_activate( $plugin ) {
	require_once ABSPATH . 'wp-admin/includes/plugin.php';
	$done = activate_plugin( $plugin, '', is_multisite() );
	return is_wp_error( $done ) ? $done->get_error_message() : null;
}

/** Deactivate it; whether its event and its option are still there. */
function tests_deactivate( $plugin ) {
	require_once ABSPATH . 'wp-admin/includes/plugin.php';
	deactivate_plugins( $plugin, false, is_multisite() );
	return array( wp_next_scheduled( 'brigadewatch_minute' ), get_option( 'brigadewatch_waiting' ) );
}

/** A comment as version 0.1 left it: reported once, judged, and with an item that waits. */
function tests_as_version_0_left_it( $comment, $mark, $line ) {
	global $wpdb;
	foreach ( array( 'reports', 'comments', 'queue' ) as $name ) {
		$wpdb->query( 'DROP TABLE ' . $wpdb->prefix . "brigadewatch_$name" );
	}
	delete_option( 'brigadewatch_tables' );
	add_comment_meta( $comment, '_brigadewatch_reporter', $mark );
	add_comment_meta( $comment, '_brigadewatch_decided', 'rejected' );
	$item = array(
		'kind' => 'complaints',
		'line' => $line,
	);
	add_option( 'brigadewatch_queue_1.5-x', wp_json_encode( $item ), '', false );
}

/** A second site of the network with one comment below one post: the site's, the post's, and the comment's id. */
function tests_second_site( $settings ) {
	$id = get_blog_id_from_url( DOMAIN_CURRENT_SITE, '/second/' );
	if ( ! $id ) {
		$id = wp_insert_site(
			array(
				'domain'  => DOMAIN_CURRENT_SITE,
				'path'    => '/second/',
				'title'   => 'Second',
				'user_id' => 1,
			)
		);
	}
	switch_to_blog( $id );
	Brigadewatch\ensure_tables();
	update_option( 'brigadewatch', $settings );
	$post = tests_post( 'x', 1 );
	return array( $id, $post, tests_comments( $post, 1, array() )[0] );
}

/** What the plugin does when brigadewatch lists these restorations in this state. */
function tests_follow_restorations( $listed, $state ) {
	add_filter(
		'pre_http_request',
		function ( $answer, $how, $url ) use ( $listed, $state ) {
			$items = false === strpos( $url, "state=$state&" ) ? array() : $listed;
			return array(
				'headers'  => array(),
				'cookies'  => array(),
				'body'     => wp_json_encode( array( 'items' => $items ) ),
				'response' => array(
					'code'    => 200,
					'message' => '',
				),
			);
		},
		20,
		3
	);
	global $wpdb;
	$wpdb->query( "DELETE FROM {$wpdb->prefix}brigadewatch_queue" ); // As if it had been sent.
	delete_transient( 'brigadewatch_pause' );
	Brigadewatch\follow_restorations();
}
