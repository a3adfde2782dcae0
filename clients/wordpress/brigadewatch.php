<?php
/**
 * Plugin Name: brigadewatch
 * Description: A report link under each comment; asks brigadewatch before a comment is held back by count; tells it what moderators decide.
 * Version: 0.1.0
 * Requires at least: 6.0
 * Requires PHP: 7.4
 * License: Apache-2.0
 *
 * Copy it to wp-content/mu-plugins/ and set the constants in wp-config.php (docs/integrations/wordpress.md):
 *
 *   define( 'BRIGADEWATCH_URL', 'https://watch.example' );
 *   define( 'BRIGADEWATCH_KEY', '...' );                    // scopes ingest and read
 *   define( 'BRIGADEWATCH_WHEN_UNREACHABLE', 'open' );      // or 'closed'; required, there is no default
 *   define( 'BRIGADEWATCH_THRESHOLD', 8 );                  // reports at which a comment is held back
 *   define( 'BRIGADEWATCH_TIMEOUT', 0.3 );                  // seconds, of the whole question
 *   define( 'BRIGADEWATCH_PATIENCE', 300 );                 // seconds in which it is asked again while it says to wait
 *   define( 'BRIGADEWATCH_REPORTS_PER_HOUR', 20 );          // of one address
 *
 * No page waits for the service: reports and decisions are queued in the options table and sent after the page is
 * finished (where PHP-FPM can), and by cron. Only a report that reaches the threshold asks, once, within the time-out.
 * While reports that are not analysed yet decide, the service says to wait: the comment stays up, and cron asks again.
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const QUEUE = 'brigadewatch_queue_';
const MAX_QUEUED = 20000;
const REASONS = array( 'abuse' => 'It is abusive', 'spam' => 'It is spam', 'off_topic' => 'It is off topic', 'other' => 'Something else' );

/** A setting from wp-config.php. */
function setting( $name, $default = null ) {
	return defined( 'BRIGADEWATCH_' . $name ) ? constant( 'BRIGADEWATCH_' . $name ) : $default;
}

/** What keeps the plugin from working; empty when nothing does. */
function problems() {
	$found = array();
	if ( ! is_string( setting( 'URL' ) ) || ! preg_match( '~^https?://[^\s/?#@]+[^\s?#@]*$~i', setting( 'URL' ) ) ) {
		$found[] = 'BRIGADEWATCH_URL has to be like https://watch.example';
	}
	if ( ! is_string( setting( 'KEY' ) ) || ! preg_match( '/^[\x21-\x7e]+$/', setting( 'KEY' ) ) ) {
		$found[] = 'BRIGADEWATCH_KEY has to be what `brigadewatch keys create` printed';
	}
	if ( ! in_array( setting( 'WHEN_UNREACHABLE' ), array( 'open', 'closed' ), true ) ) {
		$found[] = "BRIGADEWATCH_WHEN_UNREACHABLE has to be 'open' (hold back by count as without brigadewatch) or 'closed' (leave the comment up until brigadewatch answers or a person decides)";
	}
	foreach ( array( 'THRESHOLD' => 8, 'REPORTS_PER_HOUR' => 20 ) as $name => $default ) {
		if ( ! is_int( setting( $name, $default ) ) || setting( $name, $default ) < 1 ) {
			$found[] = "BRIGADEWATCH_$name has to be a whole number from 1";
		}
	}
	$timeout = setting( 'TIMEOUT', 0.3 );
	if ( ! ( is_int( $timeout ) || is_float( $timeout ) ) || ! ( $timeout >= 0.01 && $timeout <= 10 ) ) {
		$found[] = 'BRIGADEWATCH_TIMEOUT has to be a number of seconds from 0.01 to 10';
	}
	$patience = setting( 'PATIENCE', 300 );
	if ( ! is_int( $patience ) || $patience < 0 || $patience > 86400 ) {
		$found[] = 'BRIGADEWATCH_PATIENCE has to be a number of seconds from 0 to 86400';
	}
	if ( ! function_exists( 'curl_init' ) ) {
		$found[] = "PHP's curl extension is needed: without it WordPress cannot keep a time-out below one second";
	}
	return $found;
}

// -- Who and what

/** A keyed hash: the site's salt is the key, so that neither an address nor an e-mail leaves the site. */
function pseudonym( $kind, $value ) {
	return substr( hash_hmac( 'sha256', "brigadewatch|$kind|$value", wp_salt( 'auth' ) ), 0, 32 );
}

/** The reader's address; of IPv6 the network, since one line has many addresses. Behind a proxy use the filter. */
function address() {
	$address = (string) apply_filters( 'brigadewatch_address', isset( $_SERVER['REMOTE_ADDR'] ) ? wp_unslash( $_SERVER['REMOTE_ADDR'] ) : '' );
	$packed  = filter_var( $address, FILTER_VALIDATE_IP ) ? inet_pton( $address ) : '';
	return 16 === strlen( $packed ) ? bin2hex( substr( $packed, 0, 8 ) ) : $address;
}

/** Who reports: the user's id, or for a guest a keyed hash of address and agent. */
function reporter_id() {
	$agent = isset( $_SERVER['HTTP_USER_AGENT'] ) ? wp_unslash( $_SERVER['HTTP_USER_AGENT'] ) : '';
	return get_current_user_id() ? (string) get_current_user_id() : 'guest-' . pseudonym( 'guest', address() . '|' . $agent );
}

/** Who wrote the comment: the user's id, or for a guest a keyed hash of the e-mail address; null when neither is known. */
function author_id( $comment ) {
	if ( (int) $comment->user_id ) {
		return (string) $comment->user_id;
	}
	$email = strtolower( trim( (string) $comment->comment_author_email ) );
	return '' === $email ? null : 'guest-' . pseudonym( 'author', $email );
}

/** RFC 3339 of now, in UTC. */
function now() {
	return gmdate( 'Y-m-d\TH:i:s\Z' );
}

/** How many readers have reported the comment. */
function report_count( $comment_id ) {
	return count( array_unique( get_comment_meta( $comment_id, '_brigadewatch_reporter' ) ) );
}

// -- The report link and its page: links and forms, no script

/** The comment's text with a link to the page on which it is reported. Links may be cached; the nonce is on that page. */
function with_link( $text, $comment = null ) {
	if ( ! $comment || is_admin() || is_feed() || '1' !== (string) $comment->comment_approved || ! in_array( $comment->comment_type, array( '', 'comment' ), true ) ) {
		return $text;
	}
	$url = add_query_arg( array( 'action' => 'brigadewatch_report', 'comment' => (int) $comment->comment_ID ), admin_url( 'admin-post.php' ) );
	return $text . '<p class="brigadewatch-report"><a rel="nofollow" href="' . esc_url( $url ) . '">' . esc_html__( 'Report this comment', 'brigadewatch' ) . '</a></p>';
}

/** Shows the form (GET), or takes the report (POST). */
function report_page() {
	$asked   = isset( $_REQUEST['comment'] ) && is_scalar( $_REQUEST['comment'] ) ? (string) $_REQUEST['comment'] : '';
	$comment = ctype_digit( $asked ) ? get_comment( (int) $asked ) : null;
	if ( ! $comment || '1' !== (string) $comment->comment_approved || ! is_post_publicly_viewable( (int) $comment->comment_post_ID ) ) {
		say( __( 'There is no such comment.', 'brigadewatch' ), 404 );
	}
	$action = 'brigadewatch_report_' . $comment->comment_ID;
	if ( 'POST' !== ( isset( $_SERVER['REQUEST_METHOD'] ) ? $_SERVER['REQUEST_METHOD'] : '' ) ) {
		say( form( $comment, $action ), 200 );
	}
	$nonce = isset( $_POST['_wpnonce'] ) && is_string( $_POST['_wpnonce'] ) ? sanitize_text_field( wp_unslash( $_POST['_wpnonce'] ) ) : '';
	if ( ! wp_verify_nonce( $nonce, $action ) ) {
		say( '<p>' . esc_html__( 'This page was open for too long. Please send it once more.', 'brigadewatch' ) . '</p>' . form( $comment, $action ), 403 );
	}
	$limit = 'brigadewatch_rate_' . pseudonym( 'rate', address() );
	$taken = (int) get_transient( $limit );
	if ( $taken >= setting( 'REPORTS_PER_HOUR', 20 ) ) {
		say( esc_html__( 'That were many reports within an hour. Please come back later.', 'brigadewatch' ), 429 );
	}
	set_transient( $limit, $taken + 1, HOUR_IN_SECONDS );
	$reason = isset( $_POST['reason'] ) && is_string( $_POST['reason'] ) && isset( REASONS[ $_POST['reason'] ] ) ? $_POST['reason'] : 'other';
	$text   = isset( $_POST['text'] ) && is_string( $_POST['text'] ) ? sanitize_textarea_field( wp_unslash( $_POST['text'] ) ) : '';
	take_report( $comment, $reason, mb_substr( wp_check_invalid_utf8( $text, true ), 0, 1000 ) );
	$back = '<p><a href="' . esc_url( get_comment_link( $comment ) ) . '">' . esc_html__( 'Back to the comments', 'brigadewatch' ) . '</a></p>';
	say( '<p>' . esc_html__( 'Thank you. Your report was taken.', 'brigadewatch' ) . '</p>' . $back, 200 );
}

/** The form of a report. */
function form( $comment, $action ) {
	$options = '';
	foreach ( REASONS as $reason => $label ) {
		$options .= '<option value="' . esc_attr( $reason ) . '">' . esc_html( $label ) . '</option>';
	}
	return '<form method="post" action="' . esc_url( admin_url( 'admin-post.php' ) ) . '"><p>' . esc_html__( 'Why should a moderator look at this comment?', 'brigadewatch' ) . '</p>'
		. '<p><select name="reason">' . $options . '</select></p><p><textarea name="text" rows="3" cols="40" maxlength="1000"></textarea></p>'
		. '<input type="hidden" name="action" value="brigadewatch_report"><input type="hidden" name="comment" value="' . (int) $comment->comment_ID . '">'
		. wp_nonce_field( $action, '_wpnonce', false, false )
		. '<p><button type="submit">' . esc_html__( 'Report', 'brigadewatch' ) . '</button></p></form>';
}

/** One page, and the end of the request. */
function say( $html, $status ) {
	wp_die( $html, esc_html__( 'Report a comment', 'brigadewatch' ), array( 'response' => $status ) );
}

/** Counts one reader's report (the second of the same reader is none), queues it, and looks whether the count is reached. */
function take_report( $comment, $reason, $text ) {
	$reporter = reporter_id();
	$mark     = pseudonym( 'mark', $reporter );
	if ( in_array( $mark, get_comment_meta( $comment->comment_ID, '_brigadewatch_reporter' ), true ) ) {
		return;
	}
	add_comment_meta( $comment->comment_ID, '_brigadewatch_reporter', $mark );
	$user     = get_current_user_id() ? get_userdata( get_current_user_id() ) : null;
	$document = array(
		'id'          => 'report-' . $comment->comment_ID . '-' . $mark,
		'occurred_at' => now(),
		'reporter'    => array_filter( array(
			'id'                 => $reporter,
			'account_created_at' => $user ? gmdate( 'Y-m-d\TH:i:s\Z', strtotime( $user->user_registered . ' UTC' ) ) : null,
			'fingerprint'        => '' === address() ? null : pseudonym( 'address', address() ),
		) ),
		'target'      => array_filter( array(
			'id'         => (string) $comment->comment_ID,
			'kind'       => 'comment',
			'author_id'  => author_id( $comment ),
			'context_id' => (string) $comment->comment_post_ID,
			'url'        => substr( get_comment_link( $comment ), 0, 4096 ),
			'attributes' => array( 'is_reply' => (int) $comment->comment_parent > 0 ),
		) ),
		'reason'      => $reason,
	);
	if ( '' !== $text ) {
		$document['text'] = $text;
	}
	enqueue( 'complaints', apply_filters( 'brigadewatch_complaint', $document, $comment ) );
	look_at( $comment->comment_ID );
}

// -- The question before a comment is held back

/** Holds the comment back if enough readers reported it, nobody has decided about it, and brigadewatch does not advise against it. */
function look_at( $comment_id ) {
	$comment = get_comment( $comment_id );
	$count   = report_count( $comment_id );
	if ( ! $comment || '1' !== (string) $comment->comment_approved || $count < setting( 'THRESHOLD', 8 ) || get_comment_meta( $comment_id, '_brigadewatch_decided', true ) ) {
		no_longer_waiting( $comment_id );
		return;
	}
	$advice = advice( $comment_id, $count );
	if ( 'wait' === $advice['recommendation'] && waited( $comment_id ) >= setting( 'PATIENCE', 300 ) ) {
		$advice = without_answer( 'the answer was still to wait' );
	}
	update_comment_meta( $comment_id, '_brigadewatch_advice', wp_slash( wp_json_encode( $advice ) ) );  // core takes slashes off
	if ( ! in_array( $advice['recommendation'], array( 'hold', 'wait' ), true ) ) {
		no_longer_waiting( $comment_id );
		by_count( true );
		wp_set_comment_status( $comment_id, 'hold' );
		by_count( false );
	} elseif ( $advice['reached'] && 'hold' === $advice['recommendation'] ) {
		no_longer_waiting( $comment_id );
		do_action( 'brigadewatch_kept', $comment_id, $advice );
	} else {
		update_comment_meta( $comment_id, '_brigadewatch_waiting', '1' );  // cron asks again
	}
}

/** For how many seconds the answer about a comment has been to wait. */
function waited( $comment_id ) {
	$since = (int) get_comment_meta( $comment_id, '_brigadewatch_since', true );
	if ( ! $since ) {
		$since = time();
		update_comment_meta( $comment_id, '_brigadewatch_since', (string) $since );
	}
	return time() - $since;
}

/** Cron does not ask about the comment any more. */
function no_longer_waiting( $comment_id ) {
	delete_comment_meta( $comment_id, '_brigadewatch_waiting' );
	delete_comment_meta( $comment_id, '_brigadewatch_since' );
}

/** What to do without an answer. */
function without_answer( $why ) {
	return array( 'recommendation' => 'closed' === setting( 'WHEN_UNREACHABLE' ) ? 'hold' : 'none', 'reached' => false, 'why' => $why );
}

/**
 * What brigadewatch says about a comment that `$count` readers have reported: recommendation, reached, and the counts.
 * `wait`: reports that are not analysed yet, or still in the queue, decide.
 */
function advice( $comment_id, $count ) {
	$threshold = setting( 'THRESHOLD', 8 );
	$answer    = call( 'GET', '/v1/targets/' . rawurlencode( (string) $comment_id ) . '?threshold=' . $threshold . '&counted=' . $count, null, (float) setting( 'TIMEOUT', 0.3 ) );
	$found     = 200 === $answer['status'] ? json_decode( $answer['body'], true ) : null;
	$readable  = is_array( $found ) && isset( $found['complaints'], $found['independent_complaints'], $found['recommendation'] ) && is_int( $found['complaints'] )
		&& is_numeric( $found['independent_complaints'] ) && in_array( $found['recommendation'], array( 'wait', 'hold', 'review', 'none' ), true );
	if ( ! $readable ) {
		return without_answer( $answer['status'] ? 'HTTP ' . $answer['status'] : $answer['body'] );
	}
	$recommendation = $found['recommendation'];
	if ( 'hold' !== $recommendation && $found['complaints'] < $threshold ) {
		$recommendation = 'wait';  // version 0.2 ignores `counted`, and says `none` without the reports that it does not know
	}
	return array( 'recommendation' => $recommendation, 'reached' => true, 'complaints' => $found['complaints'], 'independent' => (float) $found['independent_complaints'] );
}

/** Whether the plugin itself is holding a comment back at this moment; with an argument: from now on. */
function by_count( $set = null ) {
	static $now = false;
	$now = null === $set ? $now : $set;
	return $now;
}

// -- What was decided

/** A comment changed its state: queued as an outcome if it has been reported. */
function on_transition( $new, $old, $comment ) {
	if ( 'delete' === $new || ! report_count( $comment->comment_ID ) ) {
		return;  // a deletion is told by on_delete: by now the reports are gone
	}
	$hidden = array( 'unapproved', 'spam', 'trash' );
	if ( by_count() ) {
		tell( $comment->comment_ID, array( 'action' => 'removed', 'decided_by' => 'automatic' ) );
	} elseif ( ! by_person() ) {
		tell( $comment->comment_ID, array( 'action' => 'approved' === $new ? 'restored' : 'removed', 'decided_by' => 'automatic' ) );
	} elseif ( 'approved' === $new && in_array( $old, $hidden, true ) ) {
		decided( $comment->comment_ID, array( 'verdict' => 'rejected', 'action' => 'restored' ) );
	} elseif ( 'spam' === $new || 'trash' === $new ) {
		decided( $comment->comment_ID, array( 'verdict' => 'upheld', 'action' => 'removed' ) );
	} elseif ( 'unapproved' === $new && 'approved' === $old ) {
		tell( $comment->comment_ID, array( 'action' => 'removed', 'decided_by' => 'person' ) );  // put back into the queue: hidden, not judged
	}
}

/** A comment is about to be deleted for good. One from the bin or from spam was told before; one that goes with its post was not judged. */
function on_delete( $comment_id ) {
	$comment = get_comment( $comment_id );
	if ( ! $comment || ! in_array( (string) $comment->comment_approved, array( '0', '1' ), true ) || ! report_count( $comment_id ) ) {
		return;
	}
	$judged = by_person() && ! did_action( 'before_delete_post' );
	tell( $comment_id, $judged ? array( 'verdict' => 'upheld', 'action' => 'removed', 'decided_by' => 'person' ) : array( 'action' => 'removed', 'decided_by' => 'automatic' ) );
}

/** Whether a moderator is behind this request; cron, imports and filters are not. */
function by_person() {
	return ! by_count() && ! wp_doing_cron() && current_user_can( 'moderate_comments' );
}

/** A person judged the comment: it is not held back by count again. */
function decided( $comment_id, $outcome ) {
	update_comment_meta( $comment_id, '_brigadewatch_decided', $outcome['verdict'] );
	no_longer_waiting( $comment_id );
	tell( $comment_id, $outcome + array( 'decided_by' => 'person' ) );
}

/** Queues an outcome. */
function tell( $comment_id, $outcome ) {
	enqueue( 'outcomes', array( 'id' => 'decision-' . $comment_id . '-' . wp_generate_uuid4(), 'target_id' => (string) $comment_id, 'decided_at' => now() ) + $outcome );
}

/** "Reports unfounded" in the list of comments: the verdict about a comment that stayed up. */
function keep_page() {
	$asked = isset( $_GET['comment'] ) && is_scalar( $_GET['comment'] ) ? (string) $_GET['comment'] : '';
	if ( ! ctype_digit( $asked ) || ! current_user_can( 'moderate_comments' ) || ! get_comment( (int) $asked ) ) {
		say( esc_html__( 'There is no such comment.', 'brigadewatch' ), 404 );
	}
	check_admin_referer( 'brigadewatch_keep_' . $asked );
	decided( (int) $asked, array( 'verdict' => 'rejected', 'action' => 'kept' ) );
	wp_safe_redirect( admin_url( 'edit-comments.php' ) );
	exit;
}

/** The action in the row of a reported comment. */
function row_actions( $actions, $comment ) {
	if ( $comment && '1' === (string) $comment->comment_approved && report_count( $comment->comment_ID ) && current_user_can( 'moderate_comments' ) ) {
		$url = add_query_arg( array( 'action' => 'brigadewatch_keep', 'comment' => (int) $comment->comment_ID ), admin_url( 'admin-post.php' ) );
		$actions['brigadewatch'] = '<a href="' . esc_url( wp_nonce_url( $url, 'brigadewatch_keep_' . $comment->comment_ID ) ) . '">' . esc_html__( 'Reports unfounded', 'brigadewatch' ) . '</a>';
	}
	return $actions;
}

/** The column of reports. */
function column( $name, $comment_id ) {
	if ( 'brigadewatch' !== $name || ! report_count( $comment_id ) ) {
		return;
	}
	$advice = json_decode( (string) get_comment_meta( $comment_id, '_brigadewatch_advice', true ), true );
	echo esc_html( sprintf( 'reports: %d', report_count( $comment_id ) ) );
	if ( is_array( $advice ) && isset( $advice['reached'] ) ) {
		$labels = array( 'hold' => 'left up', 'wait' => 'left up while reports are analysed' );
		$held   = isset( $labels[ $advice['recommendation'] ] ) ? $labels[ $advice['recommendation'] ] : 'held back';
		echo '<br>' . esc_html( $advice['reached'] ? sprintf( '%s: %d complaints, of %.1f people independently', $held, $advice['complaints'], $advice['independent'] ) : "$held: brigadewatch did not answer" );
	}
}

// -- The queue: one row an item, so that pages at the same time lose nothing

/** Puts an item into the queue. */
function enqueue( $kind, $document ) {
	$line = wp_json_encode( $document );
	if ( is_string( $line ) ) {
		add_option( QUEUE . sprintf( '%.6F', microtime( true ) ) . '-' . wp_generate_uuid4(), wp_json_encode( array( 'kind' => $kind, 'line' => $line ) ), '', false );
		asked_to_send( true );
	}
}

/** Whether this request has queued something; with an argument: from now on. */
function asked_to_send( $set = null ) {
	static $asked = false;
	$asked = null === $set ? $asked : $set;
	return $asked;
}

/** Once the reader has the page: send at once where that costs nobody anything, else leave it to cron. */
function at_shutdown() {
	if ( ! asked_to_send() ) {
		return;
	}
	foreach ( array( 'fastcgi_finish_request', 'litespeed_finish_request' ) as $finish ) {
		if ( function_exists( $finish ) ) {
			$finish();
			send( 1, 2.0 );
			return;
		}
	}
}

/** Cron: sends what waits, and asks again about comments for which there was no answer, or one to wait. */
function each_minute() {
	send( 40, 10.0 );
	foreach ( get_comments( array( 'meta_key' => '_brigadewatch_waiting', 'meta_value' => '1', 'number' => 20, 'status' => 'approve' ) ) as $comment ) {
		look_at( $comment->comment_ID );
	}
}

/** Sends up to `$batches` of 500 items, each within `$timeout` seconds. What was not taken for sure stays; ids make a second time harmless. */
function send( $batches, $timeout ) {
	global $wpdb;
	while ( $batches-- > 0 && ! get_transient( 'brigadewatch_pause' ) ) {
		$rows = $wpdb->get_results( $wpdb->prepare( "SELECT option_name, option_value FROM {$wpdb->options} WHERE option_name LIKE %s ESCAPE '!' ORDER BY option_id LIMIT %d", str_replace( '_', '!_', QUEUE ) . '%', 500 ) );
		if ( ! $rows ) {
			return;
		}
		$by_kind = array();
		foreach ( $rows as $row ) {
			$item = json_decode( $row->option_value, true );
			$by_kind[ isset( $item['kind'] ) && 'outcomes' === $item['kind'] ? 'outcomes' : 'complaints' ][ $row->option_name ] = isset( $item['line'] ) ? $item['line'] : '';
		}
		foreach ( $by_kind as $kind => $lines ) {
			if ( ! post( $kind, $lines, $timeout ) ) {
				return;
			}
		}
	}
	drop_oldest();
}

/** Posts lines of one kind, and takes those that were answered out of the queue. False: nothing more for now. */
function post( $kind, $lines, $timeout ) {
	$answer = call( 'POST', "/v1/$kind", implode( "\n", $lines ), $timeout );
	if ( in_array( $answer['status'], array( 202, 400, 413, 415, 422 ), true ) ) {
		$said = json_decode( $answer['body'], true );
		if ( 202 !== $answer['status'] || ! empty( $said['rejected_count'] ) ) {
			error_log( "brigadewatch: $kind refused: " . ( isset( $said['detail'] ) ? $said['detail'] : (string) wp_json_encode( isset( $said['rejected'] ) ? $said['rejected'] : $answer['status'] ) ) );
		}
		array_map( 'delete_option', array_keys( $lines ) );
		delete_option( 'brigadewatch_refused' );
		return true;
	}
	$repair = $answer['status'] >= 300 && $answer['status'] < 500 && ! in_array( $answer['status'], array( 408, 425, 429 ), true );
	if ( $repair ) {
		update_option( 'brigadewatch_refused', 'HTTP ' . $answer['status'], false );
	}
	$pause = $repair ? 600 : max( 15, min( 3600, $answer['retry_after'] ? $answer['retry_after'] : 60 ) );
	set_transient( 'brigadewatch_pause', '1', $pause );
	drop_oldest();
	return false;
}

/** A service that is gone for days does not fill the database. */
function drop_oldest() {
	global $wpdb;
	$like = str_replace( '_', '!_', QUEUE ) . '%';
	$over = (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$wpdb->options} WHERE option_name LIKE %s ESCAPE '!'", $like ) ) - MAX_QUEUED;
	if ( $over > 0 ) {
		foreach ( $wpdb->get_results( $wpdb->prepare( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE %s ESCAPE '!' ORDER BY option_id LIMIT %d", $like, $over ) ) as $row ) {
			delete_option( $row->option_name );
		}
		error_log( "brigadewatch: more than " . MAX_QUEUED . " items wait, the $over oldest were dropped" );
	}
}

/** One request: status (0 without an answer), body (or why there is none), retry_after in seconds. */
function call( $method, $path, $body, $timeout ) {
	$headers = array( 'Authorization' => 'Bearer ' . setting( 'KEY' ), 'Accept' => 'application/json' );
	if ( null !== $body ) {
		$headers['Content-Type'] = 'application/x-ndjson';
	}
	$answer = wp_remote_request( untrailingslashit( setting( 'URL' ) ) . $path, array(
		'method' => $method, 'headers' => $headers, 'body' => $body, 'timeout' => $timeout, 'redirection' => 0, 'limit_response_size' => 1048576, 'brigadewatch_seconds' => $timeout,
	) );
	if ( is_wp_error( $answer ) ) {
		return array( 'status' => 0, 'body' => $answer->get_error_message(), 'retry_after' => 0 );
	}
	return array(
		'status'      => (int) wp_remote_retrieve_response_code( $answer ),
		'body'        => (string) wp_remote_retrieve_body( $answer ),
		'retry_after' => (int) wp_remote_retrieve_header( $answer, 'retry-after' ),
	);
}

/** WordPress raises every time-out to one second, because old resolvers knew no less; this sets it back for our own requests. */
function exact_timeout( $handle, $args ) {
	if ( isset( $args['brigadewatch_seconds'] ) ) {
		$milliseconds = max( 10, (int) round( 1000 * $args['brigadewatch_seconds'] ) );
		curl_setopt_array( $handle, array( CURLOPT_NOSIGNAL => true, CURLOPT_TIMEOUT_MS => $milliseconds, CURLOPT_CONNECTTIMEOUT_MS => $milliseconds ) );
	}
}

// -- Put together

/** What an administrator has to repair, on every page of the administration. */
function notices() {
	$refused = get_option( 'brigadewatch_refused' );
	foreach ( array_merge( problems(), $refused ? array( "brigadewatch refuses what this site sends ($refused): look at BRIGADEWATCH_URL and BRIGADEWATCH_KEY" ) : array() ) as $problem ) {
		echo '<div class="notice notice-error"><p>' . esc_html( $problem ) . '</p></div>';
	}
}

add_action( 'admin_notices', __NAMESPACE__ . '\notices' );
if ( ! problems() ) {
	add_filter( 'comment_text', __NAMESPACE__ . '\with_link', 50, 2 );
	add_action( 'admin_post_brigadewatch_report', __NAMESPACE__ . '\report_page' );
	add_action( 'admin_post_nopriv_brigadewatch_report', __NAMESPACE__ . '\report_page' );
	add_action( 'admin_post_brigadewatch_keep', __NAMESPACE__ . '\keep_page' );
	add_action( 'transition_comment_status', __NAMESPACE__ . '\on_transition', 10, 3 );
	add_action( 'delete_comment', __NAMESPACE__ . '\on_delete' );
	add_filter( 'comment_row_actions', __NAMESPACE__ . '\row_actions', 10, 2 );
	add_action( 'manage_comments_custom_column', __NAMESPACE__ . '\column', 10, 2 );
	add_filter( 'manage_edit-comments_columns', function ( $columns ) {
		return $columns + array( 'brigadewatch' => 'brigadewatch' );
	} );
	add_action( 'http_api_curl', __NAMESPACE__ . '\exact_timeout', 10, 2 );
	add_action( 'shutdown', __NAMESPACE__ . '\at_shutdown', 99 );
	add_filter( 'cron_schedules', function ( $schedules ) {
		return $schedules + array( 'brigadewatch_minute' => array( 'interval' => 60, 'display' => 'each minute' ) );
	} );
	add_action( 'brigadewatch_each_minute', __NAMESPACE__ . '\each_minute' );
	add_action( 'init', function () {
		if ( ! wp_next_scheduled( 'brigadewatch_each_minute' ) ) {
			wp_schedule_event( time(), 'brigadewatch_minute', 'brigadewatch_each_minute' );
		}
	} );
}
