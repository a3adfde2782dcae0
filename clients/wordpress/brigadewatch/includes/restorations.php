<?php
/**
 * Comments that were hidden by their count, before brigadewatch knew the group behind it.
 *
 * A moderator confirms in brigadewatch that a removal was a group's doing, and the comment is shown again here; nobody
 * has to look for it. Nothing is restored that a person on this site has judged since.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/**
 * Look once a minute what was found and what people chose, while any comment is hidden by its count. What brigadewatch
 * does not know to be hidden yet is left alone: its list is older than that.
 */
function follow_restorations() {
	global $wpdb;
	$hidden = $wpdb->get_col( "SELECT comment_id FROM {$wpdb->brigadewatch_comments} WHERE state = 'held' AND hidden = 1 AND comment_id NOT IN (SELECT comment_id FROM {$wpdb->brigadewatch_queue} WHERE kind = 'outcomes') ORDER BY comment_id DESC LIMIT 1000" );
	if ( ! $hidden || is_paused() ) {
		return;
	}
	$hidden = array_flip( array_map( 'intval', $hidden ) );
	foreach ( array( 'restored', 'open' ) as $state ) {
		$found = listed_restorations( $state );
		if ( null === $found ) {
			return;
		}
		foreach ( $found as $one ) {
			$id = isset( $one['target_id'] ) && is_string( $one['target_id'] ) ? unscoped( $one['target_id'] ) : 0;
			if ( ! isset( $hidden[ $id ] ) ) {
				continue;
			}
			if ( 'restored' === $state && setting( 'restore' ) ) {
				restore( $id );
			} else {
				suggest_restoration( $id, $one );
			}
		}
	}
}

/**
 * What brigadewatch lists, the latest changes first.
 *
 * @param string $state open or restored.
 * @return array[]|null Null without an answer.
 */
function listed_restorations( $state ) {
	$answer = call( 'GET', "/v1/restorations?state=$state&sort=-changed_at&limit=100", null, 5.0 );
	$found  = 200 === $answer['status'] ? json_decode( $answer['body'], true ) : null;
	if ( ! isset( $found['items'] ) || ! is_array( $found['items'] ) ) {
		pause_after( $answer );
		return null;
	}
	return array_filter( $found['items'], 'is_array' );
}

/**
 * Show a comment again that was hidden by its count.
 *
 * @param int $comment_id The comment.
 */
function restore( $comment_id ) {
	$comment = get_comment( $comment_id );
	if ( ! $comment || '0' !== (string) $comment->comment_approved ) {
		set_state( $comment_id, array( 'hidden' => 0 ) );
		return;
	}
	change_status( $comment_id, 'approve' );
	set_verdicts( $comment_id, array_merge( verdicts_of( $comment_id ), array( array( 'rejected', null ) ) ) ); // By a person, in brigadewatch.
	set_state( $comment_id, array( 'hidden' => 0 ) );
}

/**
 * Note what is now known about a hidden comment, for moderators here.
 *
 * @param int   $comment_id The comment.
 * @param array $found      The restoration.
 */
function suggest_restoration( $comment_id, $found ) {
	$state  = state_of( $comment_id );
	$before = $state ? json_decode( $state->advice, true ) : array();
	if ( ! empty( $before['restore'] ) || ! isset( $found['independent_complaints'], $found['complaints'] ) ) {
		return;
	}
	$advice = array(
		'recommendation' => 'hold',
		'reached'        => true,
		'restore'        => true,
		'complaints'     => (int) $found['complaints'],
		'independent'    => round( (float) $found['independent_complaints'], 2 ),
		'clusters'       => cluster_ids( $found ),
	);
	keep_advice( $comment_id, $advice, 'held' );
	tell_moderators( get_comment( $comment_id ), $advice );
}
