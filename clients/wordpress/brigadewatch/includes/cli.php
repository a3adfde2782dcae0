<?php
/**
 * `wp brigadewatch`.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/**
 * Reports of comments, and the service that counts who complains independently.
 */
class Command {

	/**
	 * Print whether everything is set, what waits to be sent, and what brigadewatch says.
	 *
	 * ## EXAMPLES
	 *
	 *     wp brigadewatch status
	 */
	public function status() {
		foreach ( problems() as $problem ) {
			\WP_CLI::warning( $problem );
		}
		list( $count, $age ) = queue_age();
		\WP_CLI::line( sprintf( 'waiting to be sent: %d (the oldest for %d s)', $count, $age ) );
		foreach ( states() as $state => $number ) {
			\WP_CLI::line( sprintf( 'comments %s: %d', '' === $state ? 'below the threshold' : $state, $number ) );
		}
		$found = test_connection();
		if ( '' !== $found ) {
			\WP_CLI::error( $found );
		}
		\WP_CLI::success( 'brigadewatch answers, and takes the key.' );
	}

	/**
	 * Send what waits, and ask again about comments without an answer, as cron does each minute.
	 *
	 * ## EXAMPLES
	 *
	 *     wp brigadewatch send
	 */
	public function send() {
		if ( ! is_configured() ) {
			\WP_CLI::error( implode( "\n", problems() ) );
		}
		delete_transient( PAUSE );
		each_minute();
		list( $count ) = queue_age();
		if ( $count ) {
			\WP_CLI::error( sprintf( '%d items still wait: see `wp brigadewatch status`.', $count ) );
		}
		\WP_CLI::success( 'Nothing waits.' );
	}
}

\WP_CLI::add_command( 'brigadewatch', __NAMESPACE__ . '\Command' );
