<?php
/**
 * Reports, and how many people they are from.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/**
 * Why a comment may be reported.
 *
 * @return array<string, string> Labels by the reason that is sent.
 */
function reasons() {
	$reasons = array(
		'abuse'     => __( 'It is abusive', 'brigadewatch' ),
		'spam'      => __( 'It is spam', 'brigadewatch' ),
		'off_topic' => __( 'It is off topic', 'brigadewatch' ),
		'other'     => __( 'Something else', 'brigadewatch' ),
	);
	/**
	 * The reasons that readers can choose from.
	 *
	 * @param array<string, string> $reasons Labels by reason; a reason has at most 20 characters.
	 */
	return apply_filters( 'brigadewatch_reasons', $reasons );
}

/**
 * Whether the comment can be reported: readers see it, and it is no pingback.
 *
 * @param \WP_Comment|null $comment The comment.
 * @return bool
 */
function is_reportable( $comment ) {
	return $comment && '1' === (string) $comment->comment_approved && in_array( $comment->comment_type, array( '', 'comment' ), true )
		&& is_post_publicly_viewable( (int) $comment->comment_post_ID ) && ! post_password_required( (int) $comment->comment_post_ID );
}

/**
 * Take a reader's report: stored, queued, and asked about if it makes the count reach the threshold.
 *
 * @param \WP_Comment $comment The comment.
 * @param string      $reason  Key of reasons().
 * @param string      $text    What the reader wrote.
 * @return string taken; again: the same person reported the comment before, and counts once; own: it is their own; many: too
 *                many within an hour from one address; failed: it could not be stored.
 */
function take_report( $comment, $reason, $text ) {
	global $wpdb;
	if ( ! is_configured() ) {
		return 'failed';
	}
	if ( is_own( $comment ) ) {
		return 'own';
	}
	if ( reports_of_address() >= setting( 'reports_per_hour' ) ) {
		return 'many';
	}
	$reason   = isset( reasons()[ $reason ] ) ? $reason : 'other';
	$id       = (int) $comment->comment_ID;
	$reporter = reporter_id();
	$mark     = pseudonym( 'mark', $reporter );
	$guest    = '' === guest_cookie() ? '' : pseudonym( 'cookie', guest_cookie() );
	$user_id  = get_current_user_id();
	// One person stays one after signing in or changing the browser's name, as far as this site can know.
	$same = $wpdb->get_var( $wpdb->prepare( "SELECT 1 FROM {$wpdb->brigadewatch_reports} WHERE comment_id = %d AND (mark = %s OR (%s <> '' AND guest = %s)) LIMIT 1", $id, $mark, $guest, $guest ) );
	if ( $same ) {
		return 'again';
	}
	$address  = address_pseudonym();
	$now      = time(); // One instant for what is stored and what is sent: the export says of a report what was sent of it.
	$document = report_document( $comment, $reporter, $mark, $address, $reason, $text, $now );
	$wpdb->query( 'START TRANSACTION' ); // The report, and what is sent of it, or neither.
	$taken = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->brigadewatch_reports} (comment_id, mark, user_id, guest, address, reason, text, reported_at) VALUES (%d, %s, %d, %s, %s, %s, %s, %d)", $id, $mark, $user_id, $guest, $address, $reason, storable( $text ), $now ) );
	if ( $taken ) {
		/**
		 * What is sent of a report.
		 *
		 * @param array       $document The complaint.
		 * @param \WP_Comment $comment  The comment.
		 */
		$queued = enqueue( 'complaints', $id, apply_filters( 'brigadewatch_complaint', $document, $comment ) );
		if ( ! $queued ) {
			$wpdb->query( 'ROLLBACK' );
			return 'failed';
		}
	}
	$wpdb->query( 'COMMIT' );
	if ( ! $taken ) {
		return false === $taken ? 'failed' : 'again';
	}
	after_report( $id );
	return 'taken';
}

/**
 * A text that the site's database takes: old ones know no emoji, and refuse the whole row for one.
 *
 * @param string $text The text.
 * @return string
 */
function storable( $text ) {
	global $wpdb;
	if ( 'utf8mb4' !== $wpdb->get_col_charset( $wpdb->brigadewatch_reports, 'text' ) ) {
		$text = wp_encode_emoji( $text );
	}
	$stripped = $wpdb->strip_invalid_text_for_column( $wpdb->brigadewatch_reports, 'text', $text );
	return is_string( $stripped ) ? $stripped : '';
}

/**
 * A report as brigadewatch takes it.
 *
 * @param \WP_Comment $comment  The comment.
 * @param string      $reporter Who reports.
 * @param string      $mark     What the report's id is made of; never the reporter's id itself.
 * @param string      $address  Pseudonym of the reader's address, or empty.
 * @param string      $reason   Key of reasons().
 * @param string      $text     What the reader wrote.
 * @param int         $now      When, in seconds since 1970.
 * @return array
 */
function report_document( $comment, $reporter, $mark, $address, $reason, $text, $now ) {
	$user     = get_current_user_id() ? get_userdata( get_current_user_id() ) : null;
	$joined   = $user ? strtotime( $user->user_registered . ' UTC' ) : false;
	$post     = get_post( (int) $comment->comment_post_ID );
	$shown    = $post && 'publish' === $post->post_status && '' === $post->post_password;
	$document = array(
		'id'          => 'report-' . scoped( $comment->comment_ID ) . '-' . $mark,
		'occurred_at' => rfc3339( $now ),
		'reporter'    => array_filter(
			array(
				'id'                 => $reporter,
				'account_created_at' => $joined && $joined > 0 ? rfc3339( $joined ) : null,
				'fingerprint'        => '' === $address ? null : $address,
			)
		),
		'target'      => array_filter(
			array(
				'id'            => scoped( $comment->comment_ID ),
				'kind'          => 'comment',
				'author_id'     => author_id( $comment ),
				'context_id'    => scoped( $comment->comment_post_ID ),
				'context_title' => $shown ? mb_substr( html_entity_decode( wp_strip_all_tags( get_the_title( $post ) ), ENT_QUOTES, 'UTF-8' ), 0, 300 ) : null,
				'context_url'   => $shown && strlen( get_permalink( $post ) ) <= 4096 ? get_permalink( $post ) : null,
				'url'           => strlen( get_comment_link( $comment ) ) > 4096 ? null : get_comment_link( $comment ),
				'attributes'    => array( 'is_reply' => (int) $comment->comment_parent > 0 ),
			)
		),
		'reason'      => $reason,
	);
	if ( '' !== $text ) {
		$document['text'] = $text;
	}
	return $document;
}

/**
 * A time as the service takes it, in UTC.
 *
 * @param int $seconds Seconds since 1970.
 * @return string
 */
function rfc3339( $seconds ) {
	return gmdate( 'Y-m-d\TH:i:s\Z', $seconds );
}

/**
 * How many people reported the comment, by this site's own count. Each account, browser and reader counts once, and one
 * address for no more than its share of the threshold: one person with eight browsers hides nothing.
 *
 * @param int $comment_id The comment.
 * @return int
 */
function people( $comment_id ) {
	global $wpdb;
	$most = most_of_one_address();
	return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COALESCE(SUM(LEAST(n, %d)), 0) FROM (SELECT COUNT(*) AS n FROM {$wpdb->brigadewatch_reports} WHERE comment_id = %d GROUP BY address) counts", most_of_one_address(), $comment_id ) );
}

/**
 * Reports from one address that count on one comment.
 *
 * @return int
 */
function most_of_one_address() {
	return max( 1, (int) floor( setting( 'threshold' ) * setting( 'address_share' ) / 100 ) );
}

/**
 * How many reports the comment has.
 *
 * @param int $comment_id The comment.
 * @return int
 */
function report_count( $comment_id ) {
	global $wpdb;
	return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$wpdb->brigadewatch_reports} WHERE comment_id = %d", $comment_id ) );
}

/**
 * The reported comments below a post.
 *
 * @param int $post_id The post.
 * @return int[]
 */
function reported_below( $post_id ) {
	global $wpdb;
	return array_map( 'intval', $wpdb->get_col( $wpdb->prepare( "SELECT DISTINCT r.comment_id FROM {$wpdb->brigadewatch_reports} r JOIN $wpdb->comments c ON c.comment_ID = r.comment_id WHERE c.comment_post_ID = %d", $post_id ) ) );
}

/**
 * Reports that came from the reader's address within the last hour.
 *
 * @return int
 */
function reports_of_address() {
	global $wpdb;
	return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$wpdb->brigadewatch_reports} WHERE address = %s AND reported_at > %d", address_pseudonym(), time() - HOUR_IN_SECONDS ) );
}

/**
 * What is going on with a reported comment.
 *
 * @param int $comment_id The comment.
 * @return object|null A row of `comments`; null if nobody has reported it.
 */
function state_of( $comment_id ) {
	global $wpdb;
	return $wpdb->get_row( $wpdb->prepare( "SELECT * FROM {$wpdb->brigadewatch_comments} WHERE comment_id = %d", $comment_id ) );
}

/**
 * Change what is going on with a reported comment.
 *
 * @param int   $comment_id The comment.
 * @param array $values     Columns of `comments`.
 */
function set_state( $comment_id, $values ) {
	global $wpdb;
	$wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->brigadewatch_comments} (comment_id, verdicts, advice) VALUES (%d, '', '')", $comment_id ) );
	$wpdb->update( $wpdb->brigadewatch_comments, $values, array( 'comment_id' => $comment_id ) );
}

/**
 * What a report was about has gone for good.
 *
 * @param int $comment_id The comment.
 */
function forget_comment( $comment_id ) {
	global $wpdb;
	$wpdb->delete( $wpdb->brigadewatch_reports, array( 'comment_id' => (int) $comment_id ) );
	$wpdb->delete( $wpdb->brigadewatch_comments, array( 'comment_id' => (int) $comment_id ) );
}

add_action( 'deleted_comment', __NAMESPACE__ . '\forget_comment' );
