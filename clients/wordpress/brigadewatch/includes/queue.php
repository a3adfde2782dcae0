<?php
/**
 * What is to be sent, one row an item, so that pages at the same time lose nothing. An item stays until brigadewatch has
 * it for sure; its id makes a second time harmless.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const MOST_QUEUED   = 20000;
const MOST_AT_ONCE  = 500;
const MOST_ASSESSED = 20; // Complaints that brigadewatch takes with a question.

/**
 * Put a document into the queue.
 *
 * @param string $kind       complaints, outcomes or forget.
 * @param int    $comment_id The comment it is about, 0 for none.
 * @param array  $document   The document.
 * @return bool Whether it is there.
 */
function enqueue( $kind, $comment_id, $document ) {
	$line = wp_json_encode( $document );
	return is_string( $line ) && enqueue_line( $kind, $comment_id, $line );
}

/**
 * The same for a line that is JSON already.
 *
 * @param string $kind       complaints, outcomes or forget.
 * @param int    $comment_id The comment it is about, 0 for none.
 * @param string $line       JSON.
 * @return bool Whether it is there.
 */
function enqueue_line( $kind, $comment_id, $line ) {
	global $wpdb;
	$queued = $wpdb->insert(
		$wpdb->brigadewatch_queue,
		array(
			'comment_id' => $comment_id,
			'kind'       => $kind,
			'line'       => $line,
			'queued_at'  => time(),
		)
	);
	send_at_shutdown( true );
	return (bool) $queued;
}

/**
 * Whether this request has queued something.
 *
 * @param bool $set From now on.
 * @return bool
 */
function send_at_shutdown( $set = false ) {
	static $asked = false;
	$asked        = $asked || $set;
	return $asked;
}

/**
 * How many items wait, and for how long the oldest one has.
 *
 * @return int[] Number, and age in seconds.
 */
function queue_age() {
	global $wpdb;
	$row = $wpdb->get_row( "SELECT COUNT(*) AS n, MIN(queued_at) AS oldest FROM {$wpdb->brigadewatch_queue}" );
	return $row && $row->n ? array( (int) $row->n, max( 0, time() - (int) $row->oldest ) ) : array( 0, 0 );
}

/**
 * Send what waits, the oldest first: one sender at a time.
 *
 * @param int   $batches At most so many, of 500 items.
 * @param float $seconds Each within so many.
 */
function send( $batches, $seconds ) {
	if ( is_paused() || ! lock( 'send', 120 ) ) {
		return;
	}
	do {
		$items = oldest_items();
		$sent  = send_items( $items, $seconds );
		$more  = count( $items ) === MOST_AT_ONCE;
	} while ( $sent && $more && --$batches > 0 );
	if ( $more || ! $sent ) { // Else nothing is left to count.
		drop_oldest();
	}
	unlock( 'send' );
}

/**
 * The items that have waited for the longest.
 *
 * @return object[]
 */
function oldest_items() {
	global $wpdb;
	// A key that may not forget is tried again each hour; the rest does not wait for that.
	$skipped = time() - (int) get_option( 'brigadewatch_forget_refused' ) < HOUR_IN_SECONDS ? 'forget' : '';
	return $wpdb->get_results( $wpdb->prepare( "SELECT id, kind, line FROM {$wpdb->brigadewatch_queue} WHERE kind <> %s ORDER BY id LIMIT %d", $skipped, MOST_AT_ONCE ) );
}

/**
 * The reports of a comment that wait.
 *
 * @param int $comment_id The comment.
 * @return object[]
 */
function reports_to_send( $comment_id ) {
	global $wpdb;
	return $wpdb->get_results( $wpdb->prepare( "SELECT id, kind, line FROM {$wpdb->brigadewatch_queue} WHERE comment_id = %d AND kind = 'complaints' ORDER BY id LIMIT %d", $comment_id, MOST_AT_ONCE ) );
}

/**
 * Send items, and take those that were answered out of the queue.
 *
 * @param object[] $items   Rows of the queue.
 * @param float    $seconds Each request within so many.
 * @return bool False: nothing more for now.
 */
function send_items( $items, $seconds ) {
	$by_kind = array();
	foreach ( $items as $item ) {
		$by_kind[ $item->kind ][ $item->id ] = $item->line;
	}
	foreach ( array( 'complaints', 'outcomes' ) as $kind ) {
		if ( isset( $by_kind[ $kind ] ) && null === post_lines( $kind, $by_kind[ $kind ], '', $seconds ) ) {
			return false;
		}
	}
	foreach ( isset( $by_kind['forget'] ) ? $by_kind['forget'] : array() as $id => $line ) {
		if ( ! send_forget( $id, $line, $seconds ) ) {
			return false;
		}
	}
	return true;
}

/**
 * Post lines of one kind, and take them out of the queue once they were answered.
 *
 * @param string   $kind    complaints or outcomes.
 * @param string[] $lines   By the id of their row.
 * @param string   $query   Query of the request, with its question mark.
 * @param float    $seconds How long the request may take.
 * @return array|null What was answered; empty if the lines were refused for good, null without an answer.
 */
function post_lines( $kind, $lines, $query, $seconds ) {
	$answer  = call( 'POST', "/v1/$kind$query", implode( "\n", $lines ), $seconds );
	$refused = in_array( $answer['status'], array( 400, 413, 415, 422 ), true );
	if ( $refused && count( $lines ) > 1 ) { // One line, or a proxy on the way, must not cost the others.
		foreach ( array_chunk( $lines, (int) ceil( count( $lines ) / 2 ), true ) as $half ) {
			$said = post_lines( $kind, $half, '', $seconds );
			if ( null === $said ) {
				return null;
			}
		}
		return $said;
	}
	if ( ! $refused && 202 !== $answer['status'] ) {
		pause_after( $answer );
		return null;
	}
	$said = json_decode( $answer['body'], true );
	if ( $refused || ! empty( $said['rejected_count'] ) ) {
		$why = isset( $said['detail'] ) && is_string( $said['detail'] ) ? $said['detail'] : (string) wp_json_encode( isset( $said['rejected'] ) ? $said['rejected'] : $answer['status'] );
		complain( "$kind refused: $why" );
	}
	remove_items( array_keys( $lines ) );
	answered();
	return ! $refused && is_array( $said ) ? $said : array();
}

/**
 * Have brigadewatch forget a reporter.
 *
 * @param int    $id      Row of the queue.
 * @param string $line    JSON with the reporter's id.
 * @param float  $seconds How long the request may take.
 * @return bool False: nothing more for now.
 */
function send_forget( $id, $line, $seconds ) {
	$reporter = json_decode( $line, true );
	$answer   = call( 'DELETE', '/v1/reporters/' . rawurlencode( (string) $reporter ), null, $seconds );
	if ( in_array( $answer['status'], array( 200, 202, 204, 404, 422 ), true ) ) {
		remove_items( array( $id ) );
		delete_option( 'brigadewatch_forget_refused' );
		return true;
	}
	if ( 403 === $answer['status'] ) { // The key may not: oldest_items() leaves these out for a while.
		update_option( 'brigadewatch_forget_refused', time(), false );
		return false;
	}
	pause_after( $answer );
	return false;
}

/**
 * Take items out of the queue.
 *
 * @param int[] $ids Their rows.
 */
function remove_items( $ids ) {
	global $wpdb;
	$wpdb->query( "DELETE FROM {$wpdb->brigadewatch_queue} WHERE id IN (" . implode( ',', array_map( 'intval', $ids ) ) . ')' ); // phpcs:ignore WordPress.DB.PreparedSQL.NotPrepared -- numbers.
}

/** A service that is gone for days does not fill the database. */
function drop_oldest() {
	global $wpdb;
	$over = (int) $wpdb->get_var( "SELECT COUNT(*) FROM {$wpdb->brigadewatch_queue} WHERE kind = 'complaints'" ) - MOST_QUEUED;
	if ( $over > 0 ) {
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->brigadewatch_queue} WHERE kind = 'complaints' ORDER BY id LIMIT %d", $over ) );
		complain( 'more than ' . MOST_QUEUED . " items wait, the $over oldest were dropped" );
	}
}

/**
 * A line in PHP's error log.
 *
 * @param string $what What happened.
 */
function complain( $what ) {
	error_log( "brigadewatch: $what" ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- for operators.
}

/**
 * Once the reader has the page: send at once where that costs nobody anything, else where cron does not do it.
 */
function at_shutdown() {
	if ( ! is_configured() || wp_doing_cron() ) {
		return;
	}
	$again = waiting_comments_shown();
	if ( ! send_at_shutdown() && ! $again && ! letters() ) {
		return;
	}
	$free = false;
	foreach ( array( 'fastcgi_finish_request', 'litespeed_finish_request' ) as $finish ) {
		if ( ! $free && function_exists( $finish ) ) {
			$finish();
			$free = true;
		}
	}
	if ( $free || queue_age()[1] > 2 * MINUTE_IN_SECONDS ) {
		send( 1, $free ? 5.0 : 1.0 );
	}
	foreach ( $again as $comment_id ) {
		consider( $comment_id, $free ? (float) setting( 'timeout' ) : min( 0.3, (float) setting( 'timeout' ) ) );
	}
	send_letters();
}

add_action( 'shutdown', __NAMESPACE__ . '\at_shutdown', 99 );
