<?php
/**
 * Requests to brigadewatch.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const PAUSE = 'brigadewatch_pause';

/**
 * One request.
 *
 * @param string      $method  GET, POST or DELETE.
 * @param string      $path    Path and query.
 * @param string|null $body    Lines of JSON.
 * @param float       $seconds How long the whole request may take.
 * @return array status (0 without an answer), body (or why there is none), retry_after in seconds.
 */
function call( $method, $path, $body, $seconds ) {
	$headers = array(
		'Authorization' => 'Bearer ' . setting( 'key' ),
		'Accept'        => 'application/json',
	);
	if ( null !== $body ) {
		$headers['Content-Type'] = 'application/x-ndjson';
	}
	$answer = wp_remote_request(
		untrailingslashit( setting( 'url' ) ) . $path,
		array(
			'method'               => $method,
			'headers'              => $headers,
			'body'                 => $body,
			'timeout'              => $seconds,
			'redirection'          => 0,
			'limit_response_size'  => MB_IN_BYTES,
			'user-agent'           => 'brigadewatch-wordpress/' . VERSION,
			'brigadewatch_seconds' => $seconds,
		)
	);
	if ( is_wp_error( $answer ) ) {
		return array(
			'status'      => 0,
			'body'        => $answer->get_error_message(),
			'retry_after' => 0,
		);
	}
	return array(
		'status'      => (int) wp_remote_retrieve_response_code( $answer ),
		'body'        => (string) wp_remote_retrieve_body( $answer ),
		'retry_after' => (int) wp_remote_retrieve_header( $answer, 'retry-after' ),
	);
}

/**
 * WordPress raises every timeout to one second, because old resolvers knew no less; this sets it back, for our own
 * requests only.
 *
 * @param resource|\CurlHandle $handle The request.
 * @param array                $args   Its arguments.
 */
function keep_exact_timeout( $handle, $args ) {
	if ( isset( $args['brigadewatch_seconds'] ) ) {
		$milliseconds = max( 10, (int) round( 1000 * $args['brigadewatch_seconds'] ) );
		// phpcs:ignore WordPress.WP.AlternativeFunctions.curl_curl_setopt_array -- WordPress hands the handle out for this.
		curl_setopt_array(
			$handle,
			array(
				CURLOPT_NOSIGNAL          => true,
				CURLOPT_TIMEOUT_MS        => $milliseconds,
				CURLOPT_CONNECTTIMEOUT_MS => $milliseconds,
			)
		);
	}
}

/**
 * After a request without an answer: nobody asks or sends for a while, so that an outage costs one reader a timeout and
 * not each of them.
 *
 * @param array $answer What call() returned.
 */
function pause_after( $answer ) {
	$status = $answer['status'];
	$repair = $status >= 300 && $status < 500 && ! in_array( $status, array( 404, 408, 425, 429 ), true );
	if ( $repair ) {
		update_option( 'brigadewatch_refused', "HTTP $status", false );
	}
	set_transient( PAUSE, whom_we_ask(), $repair ? 600 : max( 15, min( MINUTE_IN_SECONDS, $answer['retry_after'] ? $answer['retry_after'] : 30 ) ) );
}

/**
 * Whether requests pause after one that failed; with another address or key they do not.
 *
 * @return bool
 */
function is_paused() {
	return whom_we_ask() === get_transient( PAUSE );
}

/**
 * What tells one brigadewatch and key from another.
 *
 * @return string
 */
function whom_we_ask() {
	return pseudonym( 'service', setting( 'url' ) . '|' . setting( 'key' ) );
}

/** The last request was answered: neither a pause nor a warning any more. */
function answered() {
	if ( get_option( 'brigadewatch_refused' ) ) {
		delete_option( 'brigadewatch_refused' );
	}
}

add_action( 'http_api_curl', __NAMESPACE__ . '\keep_exact_timeout', 10, 2 );
