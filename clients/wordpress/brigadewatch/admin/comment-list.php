<?php
/**
 * The list of comments: a view of reported ones, what is known about each, and "Reports unfounded".
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/** The views of reported comments, and the states of `comments` that they show; null: all. */
const VIEWS = array(
	'reported' => null,
	'waiting'  => 'waiting',
	'kept'     => 'kept',
	'held'     => 'held',
);

/**
 * The view that is asked for.
 *
 * @return string Empty: none of ours.
 */
function current_view() {
	$asked = isset( $_REQUEST['brigadewatch'] ) && is_string( $_REQUEST['brigadewatch'] ) ? sanitize_key( $_REQUEST['brigadewatch'] ) : ''; // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- a list is shown.
	return array_key_exists( $asked, VIEWS ) ? $asked : '';
}

/**
 * How many reported comments are in each state.
 *
 * @return int[] By state.
 */
function states() {
	global $wpdb;
	$found = $wpdb->get_results( "SELECT s.state, COUNT(*) AS n FROM {$wpdb->brigadewatch_comments} s JOIN $wpdb->comments c ON c.comment_ID = s.comment_id WHERE c.comment_approved IN ('0', '1') GROUP BY s.state" );
	return array_map( 'intval', array_column( $found, 'n', 'state' ) );
}

/**
 * The link to reported comments, beside "Pending" and "Spam".
 *
 * @param string[] $views The links.
 * @return string[]
 */
function add_view( $views ) {
	$states = states();
	unset( $states['judged'] );
	$current = 'reported' === current_view() ? ' class="current" aria-current="page"' : '';
	if ( '' !== current_view() ) { // WordPress takes it for "All".
		$views = str_replace( ' class="current" aria-current="page"', '', $views );
	}
	/* translators: %s: number of reported comments, in parentheses. */
	$label                 = sprintf( __( 'Reported %s', 'brigadewatch' ), '<span class="count">(' . number_format_i18n( array_sum( $states ) ) . ')</span>' );
	$views['brigadewatch'] = '<a href="' . esc_url( admin_url( 'edit-comments.php?brigadewatch=reported' ) ) . "\"$current>" . wp_kses_post( $label ) . '</a>';
	return $views;
}

/** The choice among reported comments, above the list. */
function add_filter_control() {
	$labels = array(
		''         => __( 'All comments', 'brigadewatch' ),
		'reported' => __( 'Reported comments', 'brigadewatch' ),
		'waiting'  => __( 'Reported, no answer yet', 'brigadewatch' ),
		'kept'     => __( 'Left up despite reports', 'brigadewatch' ),
		'held'     => __( 'Hidden by reports', 'brigadewatch' ),
	);
	echo '<label class="screen-reader-text" for="brigadewatch-view">' . esc_html__( 'Filter by reports', 'brigadewatch' ) . '</label><select id="brigadewatch-view" name="brigadewatch">';
	foreach ( $labels as $view => $label ) {
		echo '<option value="' . esc_attr( $view ) . '"' . selected( $view, current_view(), false ) . '>' . esc_html( $label ) . '</option>';
	}
	echo '</select>';
}

/**
 * The list's query names our view; with a cache of its own, since nothing tells WordPress when a state changes.
 *
 * @param array $args Arguments of the query.
 * @return array
 */
function query_args( $args ) {
	if ( '' !== current_view() ) {
		$args['brigadewatch'] = current_view();
		$args['cache_domain'] = 'brigadewatch-' . current_view() . microtime();
	}
	return $args;
}

/**
 * The list asks for reported comments only, those with the most people first.
 *
 * @param string[]          $clauses Parts of the statement.
 * @param \WP_Comment_Query $query   The query.
 * @return string[]
 */
function restrict_list( $clauses, $query ) {
	global $wpdb;
	if ( empty( $query->query_vars['brigadewatch'] ) ) {
		return $clauses;
	}
	$state             = VIEWS[ $query->query_vars['brigadewatch'] ];
	$clauses['join']  .= " JOIN {$wpdb->brigadewatch_comments} bw ON bw.comment_id = $wpdb->comments.comment_ID";
	$clauses['where'] .= null === $state ? " AND bw.state <> 'judged' AND bw.people > 0" : $wpdb->prepare( ' AND bw.state = %s', $state );
	if ( empty( $_REQUEST['orderby'] ) && empty( $query->query_vars['count'] ) ) { // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- a list is sorted.
		$clauses['orderby'] = "bw.people DESC, $wpdb->comments.comment_ID DESC";
	}
	return $clauses;
}

/**
 * The column of reports.
 *
 * @param string[] $columns The columns.
 * @return string[]
 */
function add_column( $columns ) {
	$columns['brigadewatch'] = __( 'Reports', 'brigadewatch' );
	return $columns;
}

/** Where columns are beside each other, the comment's own text has the most room. */
function add_list_style() {
	wp_add_inline_style( 'list-tables', '@media (min-width: 783px) { .fixed .column-brigadewatch { width: 18%; } .column-brigadewatch details { margin-top: .25em; } .column-brigadewatch details ul { margin: .25em 0 0; } }' );
}

/**
 * What is known about a comment's reports.
 *
 * @param string $name       The column.
 * @param int    $comment_id The comment.
 */
function show_column( $name, $comment_id ) {
	global $wpdb;
	$state = 'brigadewatch' === $name ? state_of( (int) $comment_id ) : null;
	if ( ! $state || ! current_user_can( 'edit_comment', $comment_id ) ) {
		return;
	}
	$advice = json_decode( $state->advice, true );
	$advice = is_array( $advice ) ? $advice : array();
	$labels = array(
		'waiting' => __( 'Left up, no answer yet', 'brigadewatch' ),
		'kept'    => __( 'Left up despite its reports', 'brigadewatch' ),
		'held'    => __( 'Hidden by its reports', 'brigadewatch' ),
		'judged'  => 'rejected' === $state->decided ? __( 'Reports unfounded', 'brigadewatch' ) : __( 'Reports upheld', 'brigadewatch' ),
	);
	echo '<strong>' . esc_html( reports_in_words( (int) $comment_id, $advice ) ) . '</strong>';
	// One that was to stay up and is asked about again, since it was reported once more, still stays up for that reason.
	$shown = 'waiting' === $state->state && isset( $advice['told'] ) && 'kept' === $advice['told'] ? 'kept' : $state->state;
	if ( isset( $labels[ $shown ] ) ) {
		echo '<br>' . esc_html( $labels[ $shown ] );
	}
	if ( ! empty( $advice['restore'] ) ) {
		echo '<br>' . esc_html__( 'Accounts that complain together carried it over the threshold.', 'brigadewatch' );
	}
	if ( ! empty( $advice['why'] ) && 'waiting' === $state->state ) {
		echo '<br>' . esc_html( why_in_words( $advice['why'] ) );
	}
	foreach ( case_urls( $advice ) as $number => $url ) {
		/* translators: %d: number of the case, from 1. */
		echo '<br><a href="' . esc_url( $url ) . '">' . esc_html( sprintf( __( 'Who complained together (case %d)', 'brigadewatch' ), $number + 1 ) ) . '</a>';
	}
	$rows  = $wpdb->get_results( $wpdb->prepare( "SELECT reason, text FROM {$wpdb->brigadewatch_reports} WHERE comment_id = %d ORDER BY id DESC LIMIT 200", $comment_id ) );
	$tally = array_count_values( array_column( $rows, 'reason' ) );
	arsort( $tally );
	$words = array();
	foreach ( $tally as $reason => $count ) {
		if ( '' !== $reason ) {
			/* translators: 1: why readers reported a comment, 2: how many of them. */
			$words[] = sprintf( __( '%1$s (%2$s)', 'brigadewatch' ), isset( reasons()[ $reason ] ) ? reasons()[ $reason ] : $reason, number_format_i18n( $count ) );
		}
	}
	echo '<br>' . esc_html( implode( wp_get_list_item_separator(), $words ) );
	$texts = array_slice( array_unique( array_filter( array_column( $rows, 'text' ) ) ), 0, 20 );
	if ( $texts ) {
		echo '<details><summary>' . esc_html__( 'What readers wrote', 'brigadewatch' ) . '</summary><ul>';
		foreach ( $texts as $text ) {
			echo '<li>' . esc_html( $text ) . '</li>';
		}
		echo '</ul></details>';
	}
}

/**
 * Why there is no answer about a comment, in the language of whoever looks: what is stored was found by another's request.
 *
 * @param string $why What no_answer() kept.
 * @return string
 */
function why_in_words( $why ) {
	$words = array(
		'paused'     => __( 'brigadewatch did not answer a moment ago', 'brigadewatch' ),
		'unsent'     => __( 'The reports could not be sent', 'brigadewatch' ),
		'unreadable' => __( 'The answer could not be read', 'brigadewatch' ),
	);
	return isset( $words[ $why ] ) ? $words[ $why ] : $why;
}

/**
 * The action in the row of a reported comment.
 *
 * @param string[]    $actions The actions.
 * @param \WP_Comment $comment The comment.
 * @return string[]
 */
function add_row_action( $actions, $comment ) {
	$state = $comment && may_judge( (int) $comment->comment_ID ) ? state_of( (int) $comment->comment_ID ) : null;
	if ( $state && $state->people && 'rejected' !== $state->decided && in_array( (string) $comment->comment_approved, array( '0', '1' ), true ) ) {
		$url                     = wp_nonce_url( admin_url( 'admin-post.php?action=brigadewatch_unfounded&comment=' . (int) $comment->comment_ID ), 'brigadewatch_unfounded_' . $comment->comment_ID );
		$actions['brigadewatch'] = '<a href="' . esc_url( $url ) . '">' . esc_html__( 'Reports unfounded', 'brigadewatch' ) . '</a>';
	}
	return $actions;
}

/** "Reports unfounded" was pressed in a row. */
function on_row_action() {
	$asked = isset( $_GET['comment'] ) && is_string( $_GET['comment'] ) ? sanitize_key( $_GET['comment'] ) : ''; // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- verified below.
	check_admin_referer( "brigadewatch_unfounded_$asked" );
	if ( ! ctype_digit( $asked ) || ! get_comment( (int) $asked ) || ! may_judge( (int) $asked ) ) {
		wp_die( esc_html__( 'There is no such comment, or you may not judge it.', 'brigadewatch' ), '', array( 'response' => 403 ) );
	}
	judge_unfounded( (int) $asked );
	$back = wp_get_referer();
	wp_safe_redirect( $back ? $back : admin_url( 'edit-comments.php?brigadewatch=reported' ) );
	exit;
}

/**
 * The reports of a comment are unfounded: it is shown, and its count does not hide it again.
 *
 * @param int $comment_id The comment.
 */
function judge_unfounded( $comment_id ) {
	$comment = get_comment( $comment_id );
	if ( '0' === (string) $comment->comment_approved ) {
		acted_on( $comment_id );
		wp_set_comment_status( $comment_id, 'approve' ); // The status' change is the verdict.
	} elseif ( '1' === (string) $comment->comment_approved ) {
		judge( $comment_id, 'rejected', 'kept' );
	}
}

/**
 * The action for several comments.
 *
 * @param string[] $actions The actions.
 * @return string[]
 */
function add_bulk_action( $actions ) {
	$actions['brigadewatch_unfounded'] = __( 'Reports unfounded', 'brigadewatch' );
	return $actions;
}

/**
 * It was chosen.
 *
 * @param string $back   Where to go.
 * @param string $action The action.
 * @param int[]  $ids    The comments.
 * @return string
 */
function on_bulk_action( $back, $action, $ids ) {
	foreach ( 'brigadewatch_unfounded' === $action ? array_map( 'intval', (array) $ids ) : array() as $id ) {
		if ( get_comment( $id ) && report_count( $id ) && may_judge( $id ) ) {
			judge_unfounded( $id );
		}
	}
	return remove_query_arg( array( 'action', 'action2', 'delete_comments', '_wpnonce' ), $back ); // Where a browser names no referrer, it is this request.
}

/** What administrators have to repair, and nobody else can. */
function show_notices() {
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	$screen = get_current_screen();
	if ( $screen && 'settings_page_brigadewatch' === $screen->id ) {
		return; // The page says it beside each setting.
	}
	foreach ( warnings() as $warning ) {
		echo '<div class="notice notice-warning"><p>brigadewatch: ' . esc_html( $warning ) . ' <a href="' . esc_url( admin_url( 'options-general.php?page=brigadewatch' ) ) . '">' . esc_html__( 'Settings', 'brigadewatch' ) . '</a></p></div>';
	}
}

/** The hooks, once everything is set. */
function add_comment_list() {
	if ( ! is_configured() ) {
		return;
	}
	add_filter( 'views_edit-comments', __NAMESPACE__ . '\add_view' );
	add_action( 'restrict_manage_comments', __NAMESPACE__ . '\add_filter_control' );
	add_filter( 'comments_list_table_query_args', __NAMESPACE__ . '\query_args' );
	add_filter( 'comments_clauses', __NAMESPACE__ . '\restrict_list', 10, 2 );
	add_filter( 'manage_edit-comments_columns', __NAMESPACE__ . '\add_column' );
	add_action( 'admin_print_styles-edit-comments.php', __NAMESPACE__ . '\add_list_style', 1 );
	add_action( 'manage_comments_custom_column', __NAMESPACE__ . '\show_column', 10, 2 );
	add_filter( 'comment_row_actions', __NAMESPACE__ . '\add_row_action', 10, 2 );
	add_filter( 'bulk_actions-edit-comments', __NAMESPACE__ . '\add_bulk_action' );
	add_filter( 'handle_bulk_actions-edit-comments', __NAMESPACE__ . '\on_bulk_action', 10, 3 );
}

add_action( 'admin_init', __NAMESPACE__ . '\add_comment_list' );
add_action( 'admin_post_brigadewatch_unfounded', __NAMESPACE__ . '\on_row_action' );
add_action( 'admin_notices', __NAMESPACE__ . '\show_notices' );
