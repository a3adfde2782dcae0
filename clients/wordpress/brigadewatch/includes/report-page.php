<?php
/**
 * The page on which a comment is reported: a form that works without scripts, and is shown in place with them.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const LONGEST_TEXT = 1000;

/** Answer a request for the page, before a theme is loaded. */
function answer_report_page() {
	// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- a page is shown; a report has a token of its own.
	$asked = isset( $_REQUEST[ QUERY ] ) && is_string( $_REQUEST[ QUERY ] ) ? sanitize_text_field( wp_unslash( $_REQUEST[ QUERY ] ) ) : null;
	if ( null === $asked || ! is_configured() ) {
		return;
	}
	defined( 'DONOTCACHEPAGE' ) || define( 'DONOTCACHEPAGE', true ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals.NonPrefixedConstantFound -- page caches look for it: cookie and token are one reader's.
	nocache_headers();
	header( 'X-Robots-Tag: noindex, nofollow' );
	header( 'X-Frame-Options: SAMEORIGIN' );
	header( "Content-Security-Policy: frame-ancestors 'self'" );
	$comment = ctype_digit( $asked ) && strlen( $asked ) < 19 ? get_comment( (int) $asked ) : null;
	if ( ! $comment ) {
		show_page( 404, paragraph( __( 'There is no such comment.', 'brigadewatch' ) ) );
	}
	$method = isset( $_SERVER['REQUEST_METHOD'] ) ? sanitize_key( $_SERVER['REQUEST_METHOD'] ) : 'get';
	if ( 'post' === $method ) {
		receive_report( $comment );
	}
	if ( ! is_reportable( $comment ) ) {
		show_page( 404, paragraph( __( 'There is no such comment.', 'brigadewatch' ) ) );
	}
	if ( is_own( $comment ) ) {
		show_page( 403, paragraph( __( 'This is your own comment.', 'brigadewatch' ) ) . way_back( $comment ) );
	}
	show_page( 200, form( $comment, ensure_guest_cookie() ) );
}

/**
 * Take the report that was posted, and say so.
 *
 * @param \WP_Comment $comment The comment.
 */
function receive_report( $comment ) {
	// phpcs:disable WordPress.Security.NonceVerification.Missing -- the token is verified here, bound to the browser's cookie: guests share WordPress' nonces.
	$token = isset( $_POST['token'] ) && is_string( $_POST['token'] ) ? sanitize_key( $_POST['token'] ) : '';
	if ( ! is_from_this_site() ) {
		show_page( 403, paragraph( __( 'This report did not come from a page of this site. Please open the comment, and report it there.', 'brigadewatch' ) ) );
	}
	if ( '' === guest_cookie() ) {
		$again = is_reportable( $comment ) ? form( $comment, ensure_guest_cookie() ) : '';
		show_page( 403, paragraph( __( 'Your browser did not send our cookie. Allow cookies for this site, and please send it once more.', 'brigadewatch' ) ) . $again );
	}
	if ( ! is_token( $token, (int) $comment->comment_ID, guest_cookie() ) ) {
		$again = is_reportable( $comment ) ? form( $comment, guest_cookie() ) : '';
		show_page( 403, paragraph( __( 'This page was open for too long. Please send it once more.', 'brigadewatch' ) ) . $again );
	}
	$reason = isset( $_POST['reason'] ) && is_string( $_POST['reason'] ) ? sanitize_text_field( wp_unslash( $_POST['reason'] ) ) : '';
	$text   = isset( $_POST['text'] ) && is_string( $_POST['text'] ) ? sanitize_textarea_field( wp_unslash( $_POST['text'] ) ) : '';
	// phpcs:enable
	// A form that was opened while the comment was visible is still evidence when it has been hidden since.
	$taken = take_report( $comment, $reason, mb_substr( $text, 0, LONGEST_TEXT ) );
	if ( 'failed' === $taken ) {
		complain( 'a report could not be stored' );
		show_page( 503, paragraph( __( 'Your report could not be stored. Please try again in a moment.', 'brigadewatch' ) ) . ( is_reportable( $comment ) ? form( $comment, guest_cookie() ) : '' ) );
	}
	if ( 'many' === $taken ) {
		header( 'Retry-After: 3600' );
	}
	$answers                = array(
		'taken' => array( 200, __( 'Thank you. Your report was received.', 'brigadewatch' ) ),
		'again' => array( 200, __( 'You have reported this comment before. A moderator sees your report.', 'brigadewatch' ) ),
		'own'   => array( 403, __( 'This is your own comment.', 'brigadewatch' ) ),
		'many'  => array( 429, __( 'There were many reports from your network within an hour. Please come back later.', 'brigadewatch' ) ),
	);
	list( $status, $words ) = $answers[ $taken ];
	show_page( $status, paragraph( $words ) . way_back( $comment ) );
}

/**
 * Whether the request was made by a page of this site, as far as the browser says. An origin of "null" is what browsers
 * send where a page asks for no referrer; then only their own word counts.
 *
 * @return bool
 */
function is_from_this_site() {
	$fetched = isset( $_SERVER['HTTP_SEC_FETCH_SITE'] ) ? sanitize_key( $_SERVER['HTTP_SEC_FETCH_SITE'] ) : '';
	if ( in_array( $fetched, array( 'cross-site', 'same-site' ), true ) ) {
		return false;
	}
	$origin = isset( $_SERVER['HTTP_ORIGIN'] ) ? sanitize_text_field( wp_unslash( $_SERVER['HTTP_ORIGIN'] ) ) : '';
	if ( '' === $origin ) {
		return true; // Old browsers; the token is bound to the cookie all the same.
	}
	if ( 'null' === $origin ) {
		return 'same-origin' === $fetched;
	}
	$own = array( isset( $_SERVER['HTTP_HOST'] ) ? strtolower( sanitize_text_field( wp_unslash( $_SERVER['HTTP_HOST'] ) ) ) : '' );
	foreach ( array( home_url(), site_url() ) as $url ) {
		$own[] = host_and_port( $url );
	}
	return in_array( host_and_port( $origin ), array_filter( $own ), true );
}

/**
 * Host and port of an address; the port only where it is not the usual one.
 *
 * @param string $url The address.
 * @return string
 */
function host_and_port( $url ) {
	$parts = wp_parse_url( $url );
	$port  = isset( $parts['port'] ) && ! in_array( $parts['port'], array( 80, 443 ), true ) ? ':' . $parts['port'] : '';
	return isset( $parts['host'] ) ? strtolower( $parts['host'] ) . $port : '';
}

/**
 * What shows that the form was given to this browser, for this comment and user, within the last day.
 *
 * @param int    $comment_id The comment.
 * @param string $cookie     The browser's cookie.
 * @param int    $earlier    Half days ago.
 * @return string
 */
function token( $comment_id, $cookie, $earlier = 0 ) {
	$half_day = (int) ceil( time() / ( DAY_IN_SECONDS / 2 ) ) - $earlier;
	return pseudonym( 'token', implode( '|', array( $comment_id, $cookie, get_current_user_id(), $half_day ) ) );
}

/**
 * Whether it is such a token.
 *
 * @param string $token      What was sent.
 * @param int    $comment_id The comment.
 * @param string $cookie     The browser's cookie.
 * @return bool
 */
function is_token( $token, $comment_id, $cookie ) {
	return hash_equals( token( $comment_id, $cookie ), $token ) || hash_equals( token( $comment_id, $cookie, 1 ), $token );
}

/**
 * The comment, and the form below it.
 *
 * @param \WP_Comment $comment The comment.
 * @param string      $cookie  The browser's cookie.
 * @return string
 */
function form( $comment, $cookie ) {
	$options = '';
	foreach ( reasons() as $reason => $label ) {
		$options .= '<option value="' . esc_attr( $reason ) . '">' . esc_html( $label ) . '</option>';
	}
	/* translators: %s: name of the comment's author. */
	$by      = sprintf( __( 'Comment by %s', 'brigadewatch' ), get_comment_author( $comment ) );
	$excerpt = wp_html_excerpt( get_comment_text( $comment ), 600, '…' );
	return '<figure><figcaption>' . esc_html( $by ) . '</figcaption><blockquote>' . esc_html( $excerpt ) . '</blockquote></figure>'
		. '<form method="post" action="' . esc_url( report_url( (int) $comment->comment_ID ) ) . '">'
		. '<p><label for="brigadewatch-reason">' . esc_html__( 'Why should a moderator look at this comment?', 'brigadewatch' ) . '</label>'
		. '<select id="brigadewatch-reason" name="reason">' . $options . '</select></p>'
		. '<p><label for="brigadewatch-text">' . esc_html__( 'Anything the moderators should know (optional)', 'brigadewatch' ) . '</label>'
		. '<textarea id="brigadewatch-text" name="text" rows="4" maxlength="' . LONGEST_TEXT . '"></textarea></p>'
		. '<input type="hidden" name="token" value="' . esc_attr( token( (int) $comment->comment_ID, $cookie ) ) . '">'
		. '<p><button type="submit">' . esc_html__( 'Send report', 'brigadewatch' ) . '</button></p></form>' . way_back( $comment );
}

/**
 * A paragraph of plain text.
 *
 * @param string $text The text.
 * @return string
 */
function paragraph( $text ) {
	return '<p role="status">' . esc_html( $text ) . '</p>';
}

/**
 * The way back to the article.
 *
 * @param \WP_Comment $comment The comment.
 * @return string
 */
function way_back( $comment ) {
	$visible = is_reportable( $comment );
	$url     = $visible ? get_comment_link( $comment ) : get_permalink( (int) $comment->comment_post_ID );
	return $url && is_post_publicly_viewable( (int) $comment->comment_post_ID ) ? '<p class="brigadewatch-back"><a href="' . esc_url( $url ) . '">' . esc_html__( 'Back to the comments', 'brigadewatch' ) . '</a></p>' : '';
}

/**
 * One page, and the end of the request.
 *
 * @param int    $status HTTP status.
 * @param string $html   What it says.
 */
function show_page( $status, $html ) {
	status_header( $status );
	header( 'Content-Type: text/html; charset=' . get_bloginfo( 'charset' ) );
	$title = __( 'Report a comment', 'brigadewatch' );
	$style = plugins_url( 'assets/report.css', FILE ) . '?ver=' . VERSION;
	$page  = '<!doctype html><html ' . get_language_attributes() . '><head><meta charset="' . esc_attr( get_bloginfo( 'charset' ) ) . '">'
		. '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
		// phpcs:ignore WordPress.WP.EnqueuedResources.NonEnqueuedStylesheet -- this page has no theme that would print it.
		. '<title>' . esc_html( $title . ' – ' . get_bloginfo( 'name' ) ) . '</title><link rel="stylesheet" href="' . esc_url( $style ) . '"></head>'
		. '<body class="brigadewatch-page"><main><p class="brigadewatch-site"><a href="' . esc_url( home_url( '/' ) ) . '">' . esc_html( get_bloginfo( 'name' ) ) . '</a></p>'
		. '<h1>' . esc_html( $title ) . '</h1><div id="brigadewatch-content">' . $html . '</div></main></body></html>';
	/**
	 * The whole page on which a comment is reported.
	 *
	 * @param string $page   HTML.
	 * @param string $html   What it says: to be put into a page of your own.
	 * @param int    $status HTTP status.
	 */
	// phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- escaped where it is put together.
	echo apply_filters( 'brigadewatch_report_page', $page, $html, $status );
	exit;
}

/** Pages that were cached by version 0.1 link to the administration. */
function redirect_old_links() {
	$asked = isset( $_GET['comment'] ) && is_string( $_GET['comment'] ) ? sanitize_key( $_GET['comment'] ) : ''; // phpcs:ignore WordPress.Security.NonceVerification.Recommended
	wp_safe_redirect( report_url( (int) $asked ), 302 );
	exit;
}

add_action( 'template_redirect', __NAMESPACE__ . '\answer_report_page', 99 ); // After whoever asks for a login or a payment.
add_action( 'admin_post_brigadewatch_report', __NAMESPACE__ . '\redirect_old_links' );
add_action( 'admin_post_nopriv_brigadewatch_report', __NAMESPACE__ . '\redirect_old_links' );
