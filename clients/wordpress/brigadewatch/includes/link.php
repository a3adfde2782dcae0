<?php
/**
 * The report button under each comment: a link, so that it works without scripts and on cached pages.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const QUERY = 'brigadewatch-report';

/** WordPress' own administration renders comments by AJAX as well: moderators need no button there. */
const ADMIN_AJAX = array( 'replyto-comment', 'edit-comment', 'get-comments', 'dim-comment', 'delete-comment' );

/**
 * Where a comment is reported.
 *
 * @param int $comment_id The comment.
 * @return string
 */
function report_url( $comment_id ) {
	return add_query_arg( QUERY, (int) $comment_id, home_url( '/' ) );
}

/**
 * The comment's text with the button below it, wherever readers see comments: in pages, and in what themes and
 * applications load by AJAX or REST.
 *
 * @param string           $text    The text.
 * @param \WP_Comment|null $comment The comment.
 * @return string
 */
function with_link( $text, $comment = null ) {
	if ( ! $comment instanceof \WP_Comment || ! is_configured() || is_feed() || is_inside_admin() || ! is_reportable( $comment ) ) {
		return $text;
	}
	waiting_comments_shown( (int) $comment->comment_ID );
	wp_enqueue_script( 'brigadewatch-report' );
	wp_enqueue_style( 'brigadewatch-report' );
	/* translators: %s: name of the comment's author. */
	$label = sprintf( __( 'Report the comment by %s', 'brigadewatch' ), get_comment_author( $comment ) );
	/* translators: a verb: the button under a comment. */
	$button = __( 'Report', 'brigadewatch' );
	return $text . '<p class="brigadewatch-report"><a rel="nofollow" href="' . esc_url( report_url( (int) $comment->comment_ID ) ) . '" aria-label="' . esc_attr( $label ) . '">' . esc_html( $button ) . '</a></p>';
}

/**
 * Whether the comment is rendered for the administration.
 *
 * @return bool
 */
function is_inside_admin() {
	if ( ! is_admin() ) {
		return false;
	}
	$action = isset( $_REQUEST['action'] ) && is_string( $_REQUEST['action'] ) ? sanitize_key( $_REQUEST['action'] ) : ''; // phpcs:ignore WordPress.Security.NonceVerification -- nothing is changed.
	return ! wp_doing_ajax() || in_array( $action, ADMIN_AJAX, true );
}

/** What makes the link open in place. */
function register_assets() {
	wp_register_script( 'brigadewatch-report', plugins_url( 'assets/report.js', FILE ), array(), VERSION, true );
	wp_localize_script(
		'brigadewatch-report',
		'brigadewatchReport',
		array(
			'close' => __( 'Close', 'brigadewatch' ),
			'title' => __( 'Report a comment', 'brigadewatch' ),
		)
	);
	wp_register_style( 'brigadewatch-report', plugins_url( 'assets/report.css', FILE ), array(), VERSION );
}

add_filter( 'comment_text', __NAMESPACE__ . '\with_link', 50, 2 );
add_action( 'init', __NAMESPACE__ . '\register_assets' );
