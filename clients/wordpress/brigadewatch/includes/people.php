<?php
/**
 * Who reports and who wrote, as ids that leave the site: users by number, guests by keyed hashes.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const COOKIE = 'brigadewatch_guest';

/**
 * A keyed hash: the site's salt is the key, so that neither an address nor an e-mail leaves the site.
 *
 * @param string $kind  What is hashed, so that equal values of two kinds differ.
 * @param string $value The value.
 * @return string 32 hexadecimal digits.
 */
function pseudonym( $kind, $value ) {
	return substr( hash_hmac( 'sha256', "brigadewatch|$kind|$value", wp_salt( 'auth' ) ), 0, 32 );
}

/**
 * The reader's address; of IPv6 the network, since one line has many addresses. Behind a proxy, the filter
 * `brigadewatch_address` says where the address is.
 *
 * @return string Empty if it is not known.
 */
function address() {
	// phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- it is only hashed, and checked below.
	$address = (string) apply_filters( 'brigadewatch_address', isset( $_SERVER['REMOTE_ADDR'] ) ? wp_unslash( $_SERVER['REMOTE_ADDR'] ) : '' );
	if ( ! filter_var( $address, FILTER_VALIDATE_IP ) ) {
		return '';
	}
	$packed = inet_pton( $address );
	if ( 16 !== strlen( $packed ) ) {
		return $address;
	}
	if ( "\0\0\0\0\0\0\0\0\0\0\xff\xff" === substr( $packed, 0, 12 ) ) { // IPv4 written as IPv6.
		return (string) inet_ntop( substr( $packed, 12 ) );
	}
	return bin2hex( substr( $packed, 0, 7 ) ); // A home's line has a /56, 256 networks of its own.
}

/**
 * The pseudonym of the reader's address, as it is stored and sent.
 *
 * @return string Empty if the address is not known.
 */
function address_pseudonym() {
	$address = address();
	return '' === $address ? '' : pseudonym( 'address', $address );
}

/**
 * Who reports: the user's number; for a guest a keyed hash of address and browser. Version 0.1 made it the same way, and
 * a guest stays the same reporter for brigadewatch. A cookie tells them apart on this site as well (same_person()).
 *
 * @return string
 */
function reporter_id() {
	if ( get_current_user_id() ) {
		return (string) get_current_user_id();
	}
	// phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- it is only hashed.
	$agent = isset( $_SERVER['HTTP_USER_AGENT'] ) ? wp_unslash( $_SERVER['HTTP_USER_AGENT'] ) : '';
	return 'guest-' . pseudonym( 'guest', address() . '|' . $agent );
}

/**
 * Who wrote the comment: the user's number, or for a guest a keyed hash of the e-mail address.
 *
 * @param \WP_Comment $comment The comment.
 * @return string|null Null when neither is known.
 */
function author_id( $comment ) {
	if ( (int) $comment->user_id ) {
		return (string) $comment->user_id;
	}
	$email = strtolower( trim( (string) $comment->comment_author_email ) );
	return '' === $email ? null : 'guest-' . pseudonym( 'author', $email );
}

/**
 * Whether the reader wrote the comment: by account, or by what WordPress remembers of a guest who comments.
 *
 * @param \WP_Comment $comment The comment.
 * @return bool
 */
function is_own( $comment ) {
	if ( get_current_user_id() ) {
		return get_current_user_id() === (int) $comment->user_id;
	}
	$remembered = wp_get_current_commenter();
	$email      = strtolower( trim( (string) $comment->comment_author_email ) );
	return ! (int) $comment->user_id && '' !== $email && strtolower( trim( (string) $remembered['comment_author_email'] ) ) === $email;
}

/**
 * The guest's cookie, a random number that says nothing about them.
 *
 * @return string 32 hexadecimal digits; empty if the browser has none.
 */
function guest_cookie() {
	$found = isset( $_COOKIE[ COOKIE ] ) && is_string( $_COOKIE[ COOKIE ] ) ? sanitize_key( $_COOKIE[ COOKIE ] ) : '';
	return preg_match( '/^[0-9a-f]{32}$/', $found ) ? $found : '';
}

/**
 * Give the browser a cookie, unless it has one. Nothing may have been printed.
 *
 * @return string The cookie.
 */
function ensure_guest_cookie() {
	$cookie = guest_cookie();
	if ( '' === $cookie ) {
		$cookie = bin2hex( random_bytes( 16 ) );
		setcookie(
			COOKIE,
			$cookie,
			array(
				'expires'  => time() + YEAR_IN_SECONDS,
				'path'     => COOKIEPATH ? COOKIEPATH : '/',
				'domain'   => (string) COOKIE_DOMAIN,
				'secure'   => is_ssl(),
				'httponly' => true,
				'samesite' => 'Lax',
			)
		);
		$_COOKIE[ COOKIE ] = $cookie;
	}
	return $cookie;
}

/**
 * An id of this site's own things. On a network of sites, and only there, it carries the site's number: comments are
 * numbered on each site, users for the whole network.
 *
 * @param int $id The id of a comment or post.
 * @return string
 */
function scoped( $id ) {
	return is_multisite() ? get_current_blog_id() . '-' . (int) $id : (string) (int) $id;
}

/**
 * The comment with such an id on this site.
 *
 * @param string $scoped What scoped() made.
 * @return int 0 if it is another site's, or no id at all.
 */
function unscoped( $scoped ) {
	$prefix = is_multisite() ? get_current_blog_id() . '-' : '';
	$number = '' === $prefix || 0 === strpos( $scoped, $prefix ) ? substr( $scoped, strlen( $prefix ) ) : '';
	return ctype_digit( (string) $number ) ? (int) $number : 0;
}
