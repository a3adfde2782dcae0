<?php
/**
 * The reports as a CSV file, for `brigadewatch audit --preset wordpress`: under the pseudonyms that the plugin keeps, and
 * with no more than what a site sends of a report.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const EXPORT_COLUMNS = array( 'id', 'occurred_at', 'reporter_id', 'account_created_at', 'fingerprint', 'target_id', 'author_id', 'context_id', 'is_reply', 'reason', 'text', 'verdict' );

/**
 * Whether the user may take the reports along: who may export the site's content, and moderates.
 *
 * @return bool
 */
function may_export() {
	return current_user_can( 'export' ) && current_user_can( 'moderate_comments' );
}

/**
 * The button above the list of reported comments.
 *
 * @param string $status The list's status.
 * @param string $which  top or bottom: where on the page.
 */
function add_export_button( $status, $which ) {
	unset( $status );
	if ( 'top' !== $which || '' === current_view() || ! may_export() ) {
		return;
	}
	$url = wp_nonce_url( admin_url( 'admin-post.php?action=brigadewatch_export' ), 'brigadewatch_export' );
	echo ' <a class="button" id="brigadewatch-export" href="' . esc_url( $url ) . '">' . esc_html__( 'Export reports (CSV)', 'brigadewatch' ) . '</a>';
}

/** The button was pressed. */
function on_export() {
	check_admin_referer( 'brigadewatch_export' );
	if ( ! may_export() ) {
		wp_die( esc_html__( 'You may not export reports.', 'brigadewatch' ), '', array( 'response' => 403 ) );
	}
	nocache_headers();
	header( 'Content-Type: text/csv; charset=utf-8' );
	header( 'Content-Disposition: attachment; filename="brigadewatch-reports-' . gmdate( 'Y-m-d' ) . '.csv"' );
	echo "\xEF\xBB\xBF" . csv_line( EXPORT_COLUMNS ); // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- a CSV file, not a page.
	export_rows();
	exit;
}

/** All reports, some hundred at a time, so that a large table needs no memory. */
function export_rows() {
	global $wpdb;
	$last = 0;
	do {
		if ( function_exists( 'set_time_limit' ) ) {
			set_time_limit( 60 ); // A file that is cut short would look complete.
		}
		$rows = $wpdb->get_results( $wpdb->prepare( "SELECT r.*, s.decided FROM {$wpdb->brigadewatch_reports} r LEFT JOIN {$wpdb->brigadewatch_comments} s ON s.comment_id = r.comment_id WHERE r.id > %d ORDER BY r.id LIMIT 500", $last ) );
		if ( '' !== $wpdb->last_error ) {
			echo csv_line( array( 'The export broke off here: the database did not answer.' ) ); // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- a CSV file, not a page.
			return;
		}
		_prime_comment_caches( array_map( 'intval', array_column( $rows, 'comment_id' ) ), false );
		foreach ( $rows as $row ) {
			echo csv_line( exported( $row ) ); // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- a CSV file, not a page.
			$last = (int) $row->id;
		}
		wp_cache_flush_runtime();
	} while ( count( $rows ) === 500 );
}

/**
 * A stored report as a row. What a site's filter takes out of what is sent is not exported, either.
 *
 * @param object $row A row of `reports`, with the verdict on its comment.
 * @return string[] In the order of EXPORT_COLUMNS; empty if the filter sends nothing of it.
 */
function exported( $row ) {
	$comment  = get_comment( (int) $row->comment_id );
	$user     = (int) $row->user_id ? get_userdata( (int) $row->user_id ) : null;
	$joined   = $user ? strtotime( $user->user_registered . ' UTC' ) : false;
	$document = array(
		'id'          => 'report-' . scoped( $row->comment_id ) . '-' . $row->mark,
		'occurred_at' => rfc3339( (int) $row->reported_at ),
		'reporter'    => array_filter(
			array(
				'id'                 => (int) $row->user_id ? (string) (int) $row->user_id : 'guest-' . $row->mark,
				'account_created_at' => $joined && $joined > 0 ? rfc3339( $joined ) : null,
				'fingerprint'        => '' === $row->address ? null : $row->address,
			)
		),
		'target'      => array( 'id' => scoped( $row->comment_id ) ),
		'reason'      => $row->reason,
	);
	if ( $comment ) {
		$document['target'] += array_filter(
			array(
				'kind'       => 'comment',
				'author_id'  => author_id( $comment ),
				'context_id' => scoped( $comment->comment_post_ID ),
			)
		) + array( 'attributes' => array( 'is_reply' => (int) $comment->comment_parent > 0 ) );
		if ( '' !== $row->text ) {
			$document['text'] = $row->text;
		}
		/** This filter is documented in includes/reports.php */
		$document = apply_filters( 'brigadewatch_complaint', $document, $comment );
	}
	if ( ! is_array( $document ) || ! isset( $document['id'], $document['reporter']['id'], $document['target']['id'] ) ) {
		return array();
	}
	$reporter = $document['reporter'];
	$target   = $document['target'];
	return array(
		$document['id'],
		isset( $document['occurred_at'] ) ? $document['occurred_at'] : '',
		$reporter['id'],
		isset( $reporter['account_created_at'] ) ? $reporter['account_created_at'] : '',
		isset( $reporter['fingerprint'] ) ? $reporter['fingerprint'] : '',
		$target['id'],
		isset( $target['author_id'] ) ? $target['author_id'] : '',
		isset( $target['context_id'] ) ? $target['context_id'] : '',
		isset( $target['attributes']['is_reply'] ) ? ( $target['attributes']['is_reply'] ? 'yes' : 'no' ) : '',
		isset( $document['reason'] ) ? $document['reason'] : '',
		isset( $document['text'] ) ? $document['text'] : '',
		in_array( $row->decided, array( 'upheld', 'rejected' ), true ) ? $row->decided : '',
	);
}

/**
 * A line of CSV. Text that a spreadsheet would run as a formula gets an apostrophe before it: also in the middle, where
 * the reader's spreadsheet splits at semicolons or tabs.
 *
 * @param string[] $cells The cells.
 * @return string Empty for none.
 */
function csv_line( $cells ) {
	$quoted = array();
	foreach ( $cells as $cell ) {
		$safe     = preg_replace( '/(^|[;\t\r\n])([\s\p{C}"]*)(?=[=+\-@|%＝＋－＠])/u', "$1$2'", (string) $cell );
		$quoted[] = '"' . str_replace( '"', '""', null === $safe ? '' : $safe ) . '"';
	}
	return $quoted ? implode( ',', $quoted ) . "\r\n" : '';
}

add_action( 'manage_comments_nav', __NAMESPACE__ . '\add_export_button', 10, 2 );
add_action( 'admin_post_brigadewatch_export', __NAMESPACE__ . '\on_export' );
