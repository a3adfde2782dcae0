<?php
/**
 * Mail for moderators, as WordPress sends it for comments that wait for them: to the same people, under the same setting.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/**
 * Say what happened to a comment whose count reached the threshold, once the reader has the page: a slow mail server holds
 * up nobody, and no lock.
 *
 * @param \WP_Comment|null $comment The comment.
 * @param array            $advice  What is known about its reports.
 */
function tell_moderators( $comment, $advice ) {
	letters( array( $comment, $advice ) );
}

/**
 * Letters that this request has to send.
 *
 * @param array|null $one   One more.
 * @param bool       $clear Take them out.
 * @return array[] Pairs of comment and what is known.
 */
function letters( $one = null, $clear = false ) {
	static $waiting = array();
	$found          = $waiting;
	if ( $clear ) {
		$waiting = array();
	} elseif ( null !== $one ) {
		$waiting[] = $one;
	}
	return $found;
}

/** Send them. */
function send_letters() {
	foreach ( letters( null, true ) as list( $comment, $advice ) ) {
		send_letter( $comment, $advice );
	}
}

/**
 * Send a letter.
 *
 * @param \WP_Comment|null $comment The comment.
 * @param array            $advice  What is known about its reports.
 */
function send_letter( $comment, $advice ) {
	if ( ! $comment ) {
		return;
	}
	$id = (int) $comment->comment_ID;
	/** This filter is documented in wp-includes/pluggable.php */
	if ( ! apply_filters( 'notify_moderator', (bool) get_option( 'moderation_notify' ), $id ) ) { // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals.NonPrefixedHooknameFound
		return;
	}
	$post       = get_post( (int) $comment->comment_post_ID );
	$recipients = array( get_option( 'admin_email' ) );
	$author     = $post ? get_userdata( (int) $post->post_author ) : false;
	if ( $author && user_can( $author->ID, 'edit_comment', $id ) && ! empty( $author->user_email ) && 0 !== strcasecmp( $author->user_email, get_option( 'admin_email' ) ) ) {
		$recipients[] = $author->user_email;
	}
	/** This filter is documented in wp-includes/pluggable.php */
	$recipients = apply_filters( 'comment_moderation_recipients', $recipients, $id ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals.NonPrefixedHooknameFound
	$switched   = switch_to_locale( get_locale() ); // The site's language, not that of whoever reports.
	$site       = wp_specialchars_decode( get_option( 'blogname' ), ENT_QUOTES );
	$title      = $post ? wp_specialchars_decode( wp_strip_all_tags( $post->post_title ), ENT_QUOTES ) : '';
	$lines      = array(
		what_happened( $advice ),
		'',
		/* translators: %s: title of a post. */
		sprintf( __( 'Post: %s', 'brigadewatch' ), $title ),
		/* translators: %s: name of a comment's author. */
		sprintf( __( 'Author: %s', 'brigadewatch' ), $comment->comment_author ),
		__( 'Comment:', 'brigadewatch' ),
		wp_html_excerpt( $comment->comment_content, 1000, '…' ),
		'',
		reports_in_words( $id, $advice ),
		/* translators: %s: an address. */
		sprintf( __( 'All reported comments: %s', 'brigadewatch' ), admin_url( 'edit-comments.php?brigadewatch=reported' ) ),
		/* translators: %s: an address. */
		sprintf( __( 'This comment: %s', 'brigadewatch' ), admin_url( "comment.php?action=editcomment&c=$id" ) ),
	);
	foreach ( case_urls( $advice ) as $url ) {
		/* translators: %s: an address. */
		$lines[] = sprintf( __( 'Who complained together: %s', 'brigadewatch' ), $url );
	}
	/* translators: 1: name of the site, 2: title of a post. */
	$subject = sprintf( __( '[%1$s] Reported comment: "%2$s"', 'brigadewatch' ), $site, $title );
	foreach ( array_unique( array_filter( (array) $recipients ) ) as $recipient ) {
		wp_mail( $recipient, $subject, implode( "\r\n", $lines ) );
	}
	if ( $switched ) {
		restore_previous_locale();
	}
}

/**
 * One sentence: what happened to the comment, and why.
 *
 * @param array $advice What is known about its reports.
 * @return string
 */
function what_happened( $advice ) {
	if ( ! empty( $advice['restore'] ) ) {
		return __( 'Reports hid this comment. Now brigadewatch has found that accounts which complain together carried it over the threshold: look whether to show it again.', 'brigadewatch' );
	}
	if ( ! empty( $advice['overdue'] ) ) {
		return 'hold' === $advice['recommendation']
			? __( 'Enough readers reported this comment, but brigadewatch gives no answer. It stays up until there is one or you decide.', 'brigadewatch' )
			: __( 'Enough readers reported this comment, and brigadewatch gave no answer in time. It is hidden until you decide.', 'brigadewatch' );
	}
	if ( 'hold' === $advice['recommendation'] ) {
		return __( 'Enough readers reported this comment, but too few of them independently of each other. It stays up; please look at it.', 'brigadewatch' );
	}
	return __( 'Enough readers reported this comment, independently of each other. It is hidden until you decide.', 'brigadewatch' );
}

/**
 * One sentence: how many reports, and of how many people independently.
 *
 * @param int   $comment_id The comment.
 * @param array $advice     What is known about its reports.
 * @return string
 */
function reports_in_words( $comment_id, $advice ) {
	$count = report_count( $comment_id );
	if ( ! isset( $advice['independent'] ) ) {
		/* translators: %s: number of reports. */
		return sprintf( _n( '%s report', '%s reports', $count, 'brigadewatch' ), number_format_i18n( $count ) );
	}
	return sprintf(
		/* translators: 1: number of reports, 2: a number like 3.4. */
		_n( '%1$s report, as if from %2$s independent people', '%1$s reports, as if from %2$s independent people', $count, 'brigadewatch' ),
		number_format_i18n( $count ),
		number_format_i18n( $advice['independent'], 1 )
	);
}

/**
 * Where people can look at the groups behind the reports.
 *
 * @param array $advice What is known about the reports.
 * @return string[]
 */
function case_urls( $advice ) {
	$urls = array();
	foreach ( isset( $advice['clusters'] ) && is_array( $advice['clusters'] ) ? $advice['clusters'] : array() as $cluster ) {
		$urls[] = untrailingslashit( setting( 'url' ) ) . '/console/clusters/' . rawurlencode( $cluster );
	}
	return $urls;
}
