<?php
/**
 * WordPress' tools for personal data: what readers with an account reported can be exported and erased, here and in
 * brigadewatch. What guests reported cannot be found by an e-mail address, because nobody asked them for one.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/**
 * Register the exporter.
 *
 * @param array $exporters The exporters.
 * @return array
 */
function register_exporter( $exporters ) {
	$exporters['brigadewatch'] = array(
		'exporter_friendly_name' => __( 'Reports of comments', 'brigadewatch' ),
		'callback'               => __NAMESPACE__ . '\export_reports',
	);
	return $exporters;
}

/**
 * Register the eraser.
 *
 * @param array $erasers The erasers.
 * @return array
 */
function register_eraser( $erasers ) {
	$erasers['brigadewatch'] = array(
		'eraser_friendly_name' => __( 'Reports of comments', 'brigadewatch' ),
		'callback'             => __NAMESPACE__ . '\erase_reports',
	);
	return $erasers;
}

/**
 * A page of what a person reported.
 *
 * @param string $email The person's address.
 * @param int    $page  The page, from 1.
 * @return array As WordPress asks for it.
 */
function export_reports( $email, $page = 1 ) {
	global $wpdb;
	$user = get_user_by( 'email', $email );
	$rows = $user ? $wpdb->get_results( $wpdb->prepare( "SELECT * FROM {$wpdb->brigadewatch_reports} WHERE user_id = %d ORDER BY id LIMIT 100 OFFSET %d", $user->ID, 100 * ( $page - 1 ) ) ) : array();
	$data = array();
	foreach ( $rows as $row ) {
		$data[] = array(
			'group_id'    => 'brigadewatch',
			'group_label' => __( 'Reports of comments', 'brigadewatch' ),
			'item_id'     => "brigadewatch-report-$row->id",
			'data'        => array(
				array(
					'name'  => __( 'Comment', 'brigadewatch' ),
					'value' => get_comment_link( (int) $row->comment_id ),
				),
				array(
					'name'  => __( 'Reason', 'brigadewatch' ),
					'value' => isset( reasons()[ $row->reason ] ) ? reasons()[ $row->reason ] : $row->reason,
				),
				array(
					'name'  => __( 'Text', 'brigadewatch' ),
					'value' => $row->text,
				),
				array(
					'name'  => __( 'Time', 'brigadewatch' ),
					'value' => wp_date( 'c', (int) $row->reported_at ),
				),
			),
		);
	}
	return array(
		'data' => $data,
		'done' => count( $rows ) < 100,
	);
}

/**
 * Erase what a person reported.
 *
 * @param string $email The person's address.
 * @param int    $page  The page, from 1.
 * @return array As WordPress asks for it.
 */
function erase_reports( $email, $page = 1 ) {
	unset( $page );
	$user   = get_user_by( 'email', $email );
	$erased = $user ? forget_user( (int) $user->ID ) : 0;
	return array(
		'items_removed'  => $erased > 0,
		'items_retained' => false,
		'messages'       => array( __( 'Reports by readers without an account are kept under a random number and cannot be found by an e-mail address.', 'brigadewatch' ) ),
		'done'           => true,
	);
}

/**
 * Forget who reported, here and in brigadewatch. The number of reports stays, without the person.
 *
 * @param int $user_id The user.
 * @return int Reports that are without their person now.
 */
function forget_user( $user_id ) {
	global $wpdb;
	$count = (int) $wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->brigadewatch_reports} SET user_id = 0, guest = '', text = '', mark = MD5(CONCAT(id, RAND())), address = MD5(CONCAT(%s, comment_id, address)) WHERE user_id = %d", pseudonym( 'forgotten', '' ), $user_id ) );
	enqueue( 'forget', 0, (string) $user_id ); // Also what was reported about comments that are gone here.
	return $count;
}

/**
 * A user is deleted: on a network for all its sites.
 *
 * @param int $user_id The user.
 */
function on_user_deleted( $user_id ) {
	if ( ! is_multisite() ) {
		forget_user( (int) $user_id );
		return;
	}
	foreach ( get_sites(
		array(
			'fields' => 'ids',
			'number' => 0,
		)
	) as $site ) {
		switch_to_blog( $site );
		if ( get_option( TABLES_OPTION ) ) {
			forget_user( (int) $user_id );
		}
		restore_current_blog();
	}
}

/** What the privacy policy of a site can say. */
function suggest_policy() {
	if ( function_exists( 'wp_add_privacy_policy_content' ) ) {
		wp_add_privacy_policy_content(
			'brigadewatch',
			'<p>' . esc_html__( 'When you report a comment, we store which one, why, and what you wrote, with your account or a random number in a cookie (brigadewatch_guest, for a year), and a keyed hash of your network address. We send the same, without your address and name, to our moderation service brigadewatch, which finds groups of accounts that complain together. Reports by readers without an account cannot be found by an e-mail address.', 'brigadewatch' ) . '</p>'
		);
	}
}

add_filter( 'wp_privacy_personal_data_exporters', __NAMESPACE__ . '\register_exporter' );
add_filter( 'wp_privacy_personal_data_erasers', __NAMESPACE__ . '\register_eraser' );
add_action( is_multisite() ? 'wpmu_delete_user' : 'delete_user', __NAMESPACE__ . '\on_user_deleted' );
add_action( 'admin_init', __NAMESPACE__ . '\suggest_policy' );
