<?php
/**
 * The dashboard's widget: what was reported, and what moderators have to look at.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/** Add the widget, for people who moderate. */
function add_widget() {
	if ( is_configured() && current_user_can( 'moderate_comments' ) ) {
		wp_add_dashboard_widget( 'brigadewatch', __( 'Reported comments', 'brigadewatch' ), __NAMESPACE__ . '\show_widget' );
	}
}

/** The widget. */
function show_widget() {
	global $wpdb;
	$states = states();
	$lines  = array(
		'held'    => __( 'Hidden by their reports, to be decided', 'brigadewatch' ),
		'kept'    => __( 'Left up, because too few people complained independently', 'brigadewatch' ),
		'waiting' => __( 'Left up, no answer yet', 'brigadewatch' ),
	);
	echo '<ul>';
	foreach ( $lines as $state => $label ) {
		echo '<li><a href="' . esc_url( admin_url( "edit-comments.php?brigadewatch=$state" ) ) . '">' . esc_html( $label ) . '</a>: ' . esc_html( number_format_i18n( isset( $states[ $state ] ) ? $states[ $state ] : 0 ) ) . '</li>';
	}
	echo '</ul>';
	$ids = $wpdb->get_col( "SELECT s.comment_id FROM {$wpdb->brigadewatch_comments} s JOIN $wpdb->comments c ON c.comment_ID = s.comment_id WHERE s.state IN ('held', 'kept', 'waiting') AND c.comment_approved IN ('0', '1') ORDER BY s.people DESC LIMIT 5" );
	foreach ( $ids as $id ) {
		$comment = get_comment( (int) $id );
		$advice  = json_decode( state_of( (int) $id )->advice, true );
		echo '<p><a href="' . esc_url( admin_url( 'comment.php?action=editcomment&c=' . (int) $id ) ) . '">' . esc_html( wp_html_excerpt( $comment->comment_content, 80, '…' ) ) . '</a><br>' . esc_html( reports_in_words( (int) $id, is_array( $advice ) ? $advice : array() ) ) . '</p>';
	}
	if ( ! $ids ) {
		echo '<p>' . esc_html__( 'No reported comment waits for anybody.', 'brigadewatch' ) . '</p>';
	}
}

add_action( 'wp_dashboard_setup', __NAMESPACE__ . '\add_widget' );
