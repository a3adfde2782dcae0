<?php
/**
 * Before reports hide a comment: how many people complained independently?
 *
 * A comment's state: '' (fewer reports than the threshold), `waiting` (there is no answer yet, or it is to wait: the
 * comment stays up and is asked about again), `kept` (it stays up, although its count reaches the threshold), `held` (it
 * is hidden by its count), `judged` (a person decided about it).
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const ASK_AGAIN_SECONDS = 5;   // Between two questions about a comment that pages trigger.
const MOST_QUESTIONS    = 3;   // At the same time, so that reports of many comments leave PHP's other processes free.
const WAITING           = 'brigadewatch_waiting'; // An option that pages read: comments to ask about again.

/**
 * A report was taken: count, and ask if it made the count reach the threshold. Only this one report waits for the answer;
 * those that come after it are asked about after the page, or by cron.
 *
 * @param int $comment_id The comment.
 */
function after_report( $comment_id ) {
	$people = people( $comment_id );
	$state  = state_of( $comment_id );
	set_state( $comment_id, array( 'people' => $people ) );
	if ( $people < setting( 'threshold' ) || ( $state && '' !== $state->decided ) ) {
		return;
	}
	if ( $state && 'held' === $state->state ) {
		clean_comment_cache( $comment_id ); // This request knows the comment as it was before another one hid it.
		if ( '1' !== (string) get_comment( $comment_id )->comment_approved ) {
			return;
		}
		set_state( // Shown again by something that is no person's judgement.
			$comment_id,
			array(
				'state'  => '',
				'hidden' => 0,
			)
		);
		$state->state = '';
	}
	if ( $state && '' !== $state->state ) {
		wait_for_answer( $comment_id );
		return;
	}
	consider( $comment_id, (float) setting( 'timeout' ) );
}

/**
 * Ask about a comment whose count reaches the threshold, and do what the answer says. One request a comment at a time.
 *
 * @param int   $comment_id The comment.
 * @param float $seconds    How long asking may take.
 */
function consider( $comment_id, $seconds ) {
	global $wpdb;
	$comment = get_comment( $comment_id );
	$people  = people( $comment_id );
	$state   = state_of( $comment_id );
	if ( ! $comment || '1' !== (string) $comment->comment_approved || $people < setting( 'threshold' ) || ( $state && '' !== $state->decided ) ) {
		$wpdb->update(
			$wpdb->brigadewatch_comments,
			array( 'state' => '' ),
			array(
				'comment_id' => $comment_id,
				'state'      => 'waiting',
			)
		);
		no_longer_waiting( $comment_id );
		return;
	}
	if ( ! lock( "comment_$comment_id", 60 ) ) { // Somebody is asking about it.
		wait_for_answer( $comment_id );
		return;
	}
	$slot = question_slot();
	try {
		if ( ! $slot ) { // Several others are being asked about.
			wait_for_answer( $comment_id );
			return;
		}
		set_state( $comment_id, array( 'asked_at' => time() ) );
		$advice = ask( $comment_id, $people, $seconds );
		clean_comment_cache( $comment_id ); // A person may have acted while brigadewatch was asked: then nothing is left to do.
		$comment = get_comment( $comment_id );
		$state   = state_of( $comment_id );
		if ( $comment && '1' === (string) $comment->comment_approved && $state && '' === $state->decided ) {
			settle( $comment, $state, $advice );
		}
	} finally {
		if ( $slot ) {
			unlock( "question_$slot" );
		}
		unlock( "comment_$comment_id" );
	}
}

/**
 * One of the questions that may be asked at the same time.
 *
 * @return int 0: all are under way.
 */
function question_slot() {
	for ( $slot = 1; $slot <= MOST_QUESTIONS; $slot++ ) {
		if ( lock( "question_$slot", 60 ) ) {
			return $slot;
		}
	}
	return 0;
}

/**
 * Do what the answer says.
 *
 * @param \WP_Comment $comment The comment.
 * @param object|null $state   What was going on with it.
 * @param array       $advice  What ask() returned.
 */
function settle( $comment, $state, $advice ) {
	$id     = (int) $comment->comment_ID;
	$since  = $state && 'waiting' === $state->state && $state->waiting_since ? (int) $state->waiting_since : time();
	$before = $state ? json_decode( $state->advice, true ) : null;
	$before = is_array( $before ) ? $before : array();
	$told   = isset( $before['told'] ) ? $before['told'] : ''; // What moderators were told last.
	if ( 'wait' === $advice['recommendation'] && 'kept' === $told ) { // Neither an outage nor a delay changes what is known: ask again.
		wait_for_answer( $id );
		return;
	}
	if ( 'wait' === $advice['recommendation'] && time() - $since >= setting( 'patience' ) ) {
		$advice['recommendation'] = 'open' === setting( 'when_unreachable' ) ? 'none' : 'hold';
		$advice['overdue']        = true;
	}
	if ( 'wait' === $advice['recommendation'] ) {
		keep_advice( $id, $advice, $told );
		wait_for_answer( $id );
		return;
	}
	$overdue = ! empty( $advice['overdue'] );
	$result  = 'hold' === $advice['recommendation'] ? ( $overdue ? 'overdue' : 'kept' ) : 'held';
	if ( 'held' === $result && ! change_status( $id, 'hold' ) ) {
		wait_for_answer( $id );
		return;
	}
	keep_advice( $id, $advice, $result );
	if ( 'overdue' === $result ) { // It stays up, and brigadewatch is asked until it answers or a person decides.
		wait_for_answer( $id );
	} else {
		no_longer_waiting( $id );
		set_state(
			$id,
			array(
				'state'  => $result,
				'hidden' => 'held' === $result ? 1 : 0,
			)
		);
	}
	if ( $told === $result ) {
		return;
	}
	tell_moderators( $comment, $advice );
	if ( 'held' !== $result ) {
		/**
		 * A comment stays up although enough readers reported it.
		 *
		 * @param int   $comment_id The comment.
		 * @param array $advice     What brigadewatch said.
		 */
		do_action( 'brigadewatch_kept', $id, $advice );
	}
}

/**
 * Keep what is known about a comment's reports.
 *
 * @param int    $comment_id The comment.
 * @param array  $advice     What is known.
 * @param string $told       What moderators were told last: kept, held, overdue, or nothing.
 */
function keep_advice( $comment_id, $advice, $told ) {
	set_state( $comment_id, array( 'advice' => (string) wp_json_encode( array( 'told' => $told ) + $advice ) ) );
}

/**
 * The comment stays up, and is asked about again: by cron, and after the next page that shows it.
 *
 * @param int $comment_id The comment.
 */
function wait_for_answer( $comment_id ) {
	global $wpdb;
	// In one step: another request may have hidden or judged the comment since this one looked.
	$wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->brigadewatch_comments} SET waiting_since = CASE WHEN state = 'waiting' THEN waiting_since ELSE %d END, state = 'waiting' WHERE comment_id = %d AND state IN ('', 'kept', 'waiting')", time(), $comment_id ) );
	$waiting = get_option( WAITING );
	$waiting = is_array( $waiting ) ? $waiting : array();
	if ( ! isset( $waiting[ $comment_id ] ) && count( $waiting ) < 200 ) {
		$waiting[ $comment_id ] = 1;
		update_option( WAITING, $waiting, true );
	}
}

/**
 * Pages do not ask about the comment any more.
 *
 * @param int $comment_id The comment.
 */
function no_longer_waiting( $comment_id ) {
	$waiting = get_option( WAITING );
	if ( is_array( $waiting ) && isset( $waiting[ $comment_id ] ) ) {
		unset( $waiting[ $comment_id ] );
		update_option( WAITING, $waiting, true );
	}
}

/**
 * Comments that this page shows and that are to be asked about again: the first three that were not lately.
 *
 * @param int|null $shown A comment that is shown.
 * @return int[]
 */
function waiting_comments_shown( $shown = null ) {
	static $found = array();
	if ( null !== $shown ) {
		$waiting = get_option( WAITING );
		if ( is_array( $waiting ) && isset( $waiting[ $shown ] ) ) {
			$found[ $shown ] = $shown;
		}
		return array();
	}
	$due = array();
	foreach ( $found as $id ) {
		$state = count( $due ) < MOST_QUESTIONS ? state_of( $id ) : null;
		if ( $state && 'waiting' === $state->state && time() - (int) $state->asked_at >= ASK_AGAIN_SECONDS ) {
			$due[] = $id;
		}
	}
	return $due;
}

/**
 * What brigadewatch says about a comment once it has the comment's reports: those that were not sent yet are sent first,
 * together with the question where they are few.
 *
 * @param int   $comment_id The comment.
 * @param int   $people     How many people reported it, by this site's count.
 * @param float $seconds    How long it may take.
 * @return array recommendation (wait, hold, review, none), reached (whether there is an answer), why; complaints, independent, clusters.
 */
function ask( $comment_id, $people, $seconds ) {
	if ( is_paused() ) {
		return no_answer( 'paused' );
	}
	$until    = microtime( true ) + $seconds;
	$position = null;
	$items    = reports_to_send( $comment_id );
	if ( $items ) {
		$with  = count( $items ) <= MOST_ASSESSED;
		$query = $with ? '?assess=true&threshold=' . (int) setting( 'threshold' ) . '&wait=' . wait_milliseconds( $until ) : '';
		$said  = post_lines( 'complaints', array_column( $items, 'line', 'id' ), $query, $seconds );
		if ( null === $said ) {
			return no_answer( 'unsent' );
		}
		$position = isset( $said['position'] ) && is_int( $said['position'] ) ? $said['position'] : null;
		if ( isset( $said['assessments'][0] ) ) {
			$advice = advice_of( $said['assessments'][0], $people );
			if ( 'wait' !== $advice['recommendation'] || microtime( true ) >= $until - 0.1 ) {
				return $advice;
			}
		}
	}
	$query = '?threshold=' . (int) setting( 'threshold' ) . '&counted=' . (int) $people;
	if ( null !== $position ) {
		$query .= "&after=$position&wait=" . wait_milliseconds( $until );
	}
	$answer = call( 'GET', '/v1/targets/' . rawurlencode( scoped( $comment_id ) ) . $query, null, max( 0.05, $until - microtime( true ) ) );
	if ( 200 !== $answer['status'] ) {
		if ( isset( $advice ) ) {
			return $advice;
		}
		pause_after( $answer );
		return no_answer( $answer['status'] ? 'HTTP ' . $answer['status'] : $answer['body'] );
	}
	answered();
	return advice_of( json_decode( $answer['body'], true ), $people );
}

/**
 * How long brigadewatch may hold an answer, so that it is here in time.
 *
 * @param float $until When it has to be here.
 * @return int Milliseconds.
 */
function wait_milliseconds( $until ) {
	return (int) max( 0, min( 5000, 1000 * ( $until - microtime( true ) ) - 250 ) );
}

/**
 * An assessment, as it is kept with the comment.
 *
 * @param mixed $found  The assessment.
 * @param int   $people How many people reported the comment, by this site's count.
 * @return array See ask().
 */
function advice_of( $found, $people ) {
	$readable = is_array( $found ) && isset( $found['complaints'], $found['independent_complaints'], $found['recommendation'] ) && is_int( $found['complaints'] )
		&& is_numeric( $found['independent_complaints'] ) && in_array( $found['recommendation'], array( 'wait', 'hold', 'review', 'none' ), true );
	if ( ! $readable ) {
		return no_answer( 'unreadable' );
	}
	$recommendation = $found['recommendation'];
	if ( 'hold' !== $recommendation && $found['complaints'] < setting( 'threshold' ) && $people >= setting( 'threshold' ) ) {
		$recommendation = 'wait'; // Said without the reports that it does not have yet.
	}
	return array(
		'recommendation' => $recommendation,
		'reached'        => true,
		'complaints'     => $found['complaints'],
		'independent'    => round( (float) $found['independent_complaints'], 2 ),
		'clusters'       => cluster_ids( $found ),
	);
}

/**
 * The groups behind the reports.
 *
 * @param array $found An assessment or a restoration.
 * @return string[] At most five ids.
 */
function cluster_ids( $found ) {
	$ids = array();
	foreach ( isset( $found['clusters'] ) && is_array( $found['clusters'] ) ? $found['clusters'] : array() as $cluster ) {
		$id = is_array( $cluster ) && isset( $cluster['id'] ) ? $cluster['id'] : $cluster;
		if ( is_string( $id ) ) {
			$ids[] = substr( $id, 0, 64 );
		}
	}
	return array_slice( $ids, 0, 5 );
}

/**
 * What is known without an answer.
 *
 * @param string $why Why there is none: a word that why_in_words() knows, or what HTTP said.
 * @return array See ask().
 */
function no_answer( $why ) {
	return array(
		'recommendation' => 'wait',
		'reached'        => false,
		'why'            => mb_substr( $why, 0, 200 ),
	);
}
