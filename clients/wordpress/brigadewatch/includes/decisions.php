<?php
/**
 * What was decided about reported comments, and by whom.
 *
 * A person's verdict is only what a person did to that very comment. Other plugins change comments in a moderator's
 * request as well (Akismet checks a whole queue at the press of one button): that is nobody's judgement.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/** What WordPress itself does with several comments; what other plugins add there is not a person's judgement. */
const BULK_ACTIONS = array( 'approve', 'unapprove', 'spam', 'unspam', 'trash', 'untrash', 'delete', 'brigadewatch_unfounded' );

/**
 * Change a comment's status as the plugin's own doing, no matter whose request this is.
 *
 * @param int    $comment_id The comment.
 * @param string $status     hold or approve.
 * @return bool Whether it has that status now.
 */
function change_status( $comment_id, $status ) {
	by_itself( true );
	$done = wp_set_comment_status( $comment_id, $status );
	by_itself( false );
	return true === $done;
}

/**
 * Whether the plugin itself is changing a comment's status at this moment.
 *
 * @param bool|null $set From now on.
 * @return bool
 */
function by_itself( $set = null ) {
	static $now = false;
	$now        = null === $set ? $now : $set;
	return $now;
}

/**
 * A comment changed its status: an outcome, if it has been reported.
 *
 * @param string      $new_status approved, unapproved, spam, trash or delete.
 * @param string      $old_status The same.
 * @param \WP_Comment $comment    The comment.
 */
function on_transition( $new_status, $old_status, $comment ) {
	$id = (int) $comment->comment_ID;
	if ( 'delete' === $new_status || ! report_count( $id ) ) {
		return; // A deletion is told by on_delete(): by now the reports are gone.
	}
	$gone = array( 'spam', 'trash' );
	if ( in_array( $old_status, $gone, true ) && in_array( $new_status, $gone, true ) ) {
		return; // From spam into the bin, or back: nothing that readers see, and nothing new.
	}
	if ( by_itself() || ! is_by_person( $id ) ) {
		tell( $id, 'approved' === $new_status ? restored( 'automatic' ) : removed( 'automatic' ) );
	} elseif ( in_array( $old_status, $gone, true ) ) {
		take_back( $id, 'approved' === $new_status ? 'restored' : null ); // Undo, "not spam", or out of the bin: not judged any more.
	} elseif ( 'approved' === $new_status ) {
		judge( $id, 'rejected', 'restored' );
	} elseif ( in_array( $new_status, $gone, true ) ) {
		judge( $id, 'upheld', 'removed' );
	} else {
		take_back( $id, 'removed' ); // Put back into the queue: hidden, and not judged.
	}
}

/**
 * A comment is about to be deleted for good.
 *
 * @param int         $comment_id The comment.
 * @param \WP_Comment $comment    The comment.
 */
function on_delete( $comment_id, $comment = null ) {
	$comment = $comment ? $comment : get_comment( $comment_id );
	if ( ! $comment || ! report_count( (int) $comment_id ) ) {
		return;
	}
	if ( ! in_array( (string) $comment->comment_approved, array( '0', '1' ), true ) ) {
		return; // From the bin, from spam, or with its post's bin: told when it went there.
	}
	if ( is_by_person( (int) $comment_id ) ) {
		judge( (int) $comment_id, 'upheld', 'removed' );
	} else {
		tell( (int) $comment_id, removed( 'automatic' ) );
	}
}

/**
 * A post went into the bin, and its comments with it: removed, and not judged.
 *
 * @param int   $post_id  The post.
 * @param array $statuses The comments' statuses, by id.
 */
function on_post_trashed( $post_id, $statuses ) {
	foreach ( reported_below( $post_id ) as $id ) {
		if ( isset( $statuses[ $id ] ) && in_array( (string) $statuses[ $id ], array( '0', '1' ), true ) ) {
			tell( $id, removed( 'automatic' ) );
		}
	}
}

/**
 * A post comes back out of the bin: remember which comments it brings.
 *
 * @param int $post_id The post.
 */
function before_post_untrashed( $post_id ) {
	$statuses = get_post_meta( $post_id, '_wp_trash_meta_comments_status', true );
	foreach ( reported_below( $post_id ) as $id ) {
		if ( isset( $statuses[ $id ] ) && '1' === (string) $statuses[ $id ] ) {
			tell( $id, restored( 'automatic' ) );
		}
	}
}

/**
 * Comments that a person is acting on in this request, by what they pressed.
 *
 * @param int|null $set One more, from a REST or XML-RPC request.
 * @return int[]
 */
function acted_on( $set = null ) {
	static $more = array();
	if ( null !== $set ) {
		$more[] = (int) $set;
		return $more;
	}
	// phpcs:disable WordPress.Security.NonceVerification, WordPress.Security.ValidatedSanitizedInput -- WordPress has verified its request before a status changes; the values are cast.
	global $pagenow;
	$script  = wp_doing_ajax() ? 'admin-ajax.php' : (string) $pagenow;
	$actions = array_intersect_key( $_REQUEST, array_flip( array( 'action', 'action2', 'doaction' ) ) );
	$ids     = array();
	if ( 'admin-ajax.php' === $script && array_intersect( $actions, array( 'dim-comment', 'delete-comment', 'edit-comment', 'replyto-comment' ) ) ) {
		$ids = array( $_REQUEST['id'] ?? 0, $_REQUEST['comment_ID'] ?? 0 );
		if ( in_array( 'replyto-comment', $actions, true ) ) { // "Approve and reply".
			$ids = array( empty( $_REQUEST['approve_parent'] ) ? 0 : ( $_REQUEST['comment_ID'] ?? 0 ) );
		}
	} elseif ( 'comment.php' === $script ) {
		$ids = array( $_REQUEST['c'] ?? 0, $_REQUEST['comment_ID'] ?? 0 );
	} elseif ( 'edit-comments.php' === $script && array_intersect( $actions, BULK_ACTIONS ) ) {
		$ids = isset( $_REQUEST['delete_comments'] ) ? (array) $_REQUEST['delete_comments'] : array();
		if ( isset( $_REQUEST['ids'] ) && is_string( $_REQUEST['ids'] ) ) { // Undo.
			$ids = array_merge( $ids, explode( ',', $_REQUEST['ids'] ) );
		}
	}
	// phpcs:enable
	return array_merge( $more, array_map( 'intval', array_filter( $ids, 'is_scalar' ) ) );
}

/**
 * Whether a person who may judge the comment did this to it.
 *
 * @param int $comment_id The comment.
 * @return bool
 */
function is_by_person( $comment_id ) {
	$by_person = ! wp_doing_cron() && in_array( (int) $comment_id, acted_on(), true ) && may_judge( $comment_id );
	/**
	 * Whether a change of a comment's status is a person's judgement: say no for an account that a program uses.
	 *
	 * @param bool $by_person  Whether it seems so.
	 * @param int  $comment_id The comment.
	 */
	return (bool) apply_filters( 'brigadewatch_is_by_person', $by_person, $comment_id );
}

/**
 * Whether the current user may judge the comment's reports: nobody does for a comment of their own.
 *
 * @param int $comment_id The comment.
 * @return bool
 */
function may_judge( $comment_id ) {
	$comment = get_comment( $comment_id );
	return $comment && get_current_user_id() !== (int) $comment->user_id && current_user_can( 'edit_comment', $comment_id );
}

/**
 * The comment that a REST request changes.
 *
 * @param mixed            $response What is answered so far.
 * @param array            $handler  The route's handler.
 * @param \WP_REST_Request $request  The request.
 * @return mixed
 */
function on_rest_request( $response, $handler, $request ) {
	if ( 'GET' !== $request->get_method() && preg_match( '~^/wp/v2/comments/(\d+)$~', $request->get_route(), $found ) ) {
		acted_on( (int) $found[1] );
	}
	return $response;
}

/**
 * The comment that an XML-RPC request changes, as the mobile apps send it: the fourth argument.
 *
 * @param string $method The method.
 * @param mixed  $args   Its arguments.
 */
function on_xmlrpc( $method, $args = array() ) {
	if ( in_array( $method, array( 'wp.editComment', 'wp.deleteComment' ), true ) && is_array( $args ) && isset( $args[3] ) && is_scalar( $args[3] ) ) {
		acted_on( (int) $args[3] );
	}
}

/**
 * A person judged the comment: its count does not hide it again.
 *
 * @param int    $comment_id The comment.
 * @param string $verdict    upheld or rejected.
 * @param string $action     removed, restored or kept.
 */
function judge( $comment_id, $verdict, $action ) {
	$id = tell(
		$comment_id,
		array(
			'verdict'    => $verdict,
			'action'     => $action,
			'decided_by' => 'person',
		)
	);
	no_longer_waiting( $comment_id );
	set_verdicts( $comment_id, array_merge( verdicts_of( $comment_id ), array( array( $verdict, $id ) ) ) );
}

/**
 * A person took the verdict back.
 *
 * @param int         $comment_id The comment.
 * @param string|null $action     What that did to the comment.
 */
function take_back( $comment_id, $action ) {
	$verdicts = verdicts_of( $comment_id );
	$last     = array_pop( $verdicts );
	$outcome  = array_filter(
		array(
			'action'   => $action,
			'retracts' => $last ? $last[1] : null,
		)
	);
	if ( $outcome ) {
		tell( $comment_id, $outcome + array( 'decided_by' => 'person' ) );
	}
	set_verdicts( $comment_id, $verdicts );
}

/**
 * The verdicts on a comment that stand, the latest last: taking one back brings the one before it into force.
 *
 * @param int $comment_id The comment.
 * @return array[] Pairs of verdict and outcome's id; without an id where the verdict was given in brigadewatch.
 */
function verdicts_of( $comment_id ) {
	$state    = state_of( $comment_id );
	$verdicts = $state ? json_decode( $state->verdicts, true ) : null;
	return is_array( $verdicts ) ? $verdicts : array();
}

/**
 * Keep the verdicts on a comment.
 *
 * @param int     $comment_id The comment.
 * @param array[] $verdicts   Pairs of verdict and outcome's id, the latest last.
 */
function set_verdicts( $comment_id, $verdicts ) {
	$verdicts = array_slice( $verdicts, -10 );
	$last     = end( $verdicts );
	$state    = state_of( $comment_id );
	$comment  = get_comment( $comment_id );
	$hidden   = $state && $state->hidden && $comment && '0' === (string) $comment->comment_approved; // Back to where its count had put it.
	set_state(
		$comment_id,
		array(
			'state'    => $last ? 'judged' : ( $hidden ? 'held' : '' ),
			'decided'  => $last ? $last[0] : '',
			'verdicts' => (string) wp_json_encode( $verdicts ),
		)
	);
}

/**
 * Queue an outcome.
 *
 * @param int   $comment_id The comment.
 * @param array $outcome    verdict, action, decided_by, retracts.
 * @return string Its id.
 */
function tell( $comment_id, $outcome ) {
	$id = 'decision-' . scoped( $comment_id ) . '-' . wp_generate_uuid4();
	enqueue(
		'outcomes',
		$comment_id,
		array(
			'id'         => $id,
			'target_id'  => scoped( $comment_id ),
			'decided_at' => rfc3339( time() ),
		) + $outcome
	);
	if ( isset( $outcome['action'] ) && 'removed' !== $outcome['action'] ) {
		set_state( $comment_id, array( 'hidden' => 0 ) );
	}
	return $id;
}

/**
 * The outcome of hiding a comment without a verdict.
 *
 * @param string $by automatic or person.
 * @return array
 */
function removed( $by ) {
	return array(
		'action'     => 'removed',
		'decided_by' => $by,
	);
}

/**
 * The outcome of showing a comment again without a verdict.
 *
 * @param string $by automatic or person.
 * @return array
 */
function restored( $by ) {
	return array(
		'action'     => 'restored',
		'decided_by' => $by,
	);
}

add_action( 'transition_comment_status', __NAMESPACE__ . '\on_transition', 10, 3 );
add_action( 'delete_comment', __NAMESPACE__ . '\on_delete', 10, 2 );
add_action( 'trashed_post_comments', __NAMESPACE__ . '\on_post_trashed', 10, 2 );
add_action( 'untrash_post_comments', __NAMESPACE__ . '\before_post_untrashed' );
add_filter( 'rest_request_before_callbacks', __NAMESPACE__ . '\on_rest_request', 10, 3 );
add_action( 'xmlrpc_call', __NAMESPACE__ . '\on_xmlrpc', 10, 2 );
