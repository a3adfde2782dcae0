<?php
/**
 * What Tools › Site Health says about the plugin, and warnings for administrators.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const TOO_OLD_SECONDS = 15 * MINUTE_IN_SECONDS;

/**
 * What an administrator should know.
 *
 * @return string[] Sentences; empty when all is well.
 */
function warnings() {
	$found = problems();
	if ( $found ) {
		return $found;
	}
	$refused = get_option( 'brigadewatch_refused' );
	if ( $refused ) {
		/* translators: %s: "HTTP 401". */
		$found[] = sprintf( __( 'brigadewatch refuses what this site sends (%s): look at its address and key.', 'brigadewatch' ), $refused );
	}
	if ( get_option( 'brigadewatch_forget_refused' ) ) {
		$found[] = __( 'The key may not have brigadewatch forget readers who were deleted here: make one with the scope "forget" as well.', 'brigadewatch' );
	}
	list( $count, $age ) = queue_age();
	if ( $age > TOO_OLD_SECONDS ) {
		$found[] = sprintf(
			/* translators: 1: number of reports and decisions together, 2: a duration like "3 hours". */
			_n( '%1$s report or decision waits to be sent, for %2$s now. Does WordPress\' cron run? Have your system call wp-cron.php each minute.', '%1$s reports and decisions wait to be sent, the oldest for %2$s. Does WordPress\' cron run? Have your system call wp-cron.php each minute.', $count, 'brigadewatch' ),
			number_format_i18n( $count ),
			human_time_diff( time() - $age )
		);
	}
	if ( is_one_address() ) {
		$found[] = __( 'All recent reports came from one network address, so that they count as few people. Is this site behind a proxy? Tell the plugin where readers\' addresses are, with the filter brigadewatch_address.', 'brigadewatch' );
	}
	return $found;
}

/**
 * Whether many recent reports come from one single address.
 *
 * @return bool
 */
function is_one_address() {
	global $wpdb;
	$row = $wpdb->get_row( "SELECT COUNT(*) AS n, COUNT(DISTINCT address) AS addresses, COUNT(DISTINCT mark) AS people FROM (SELECT address, mark FROM {$wpdb->brigadewatch_reports} ORDER BY id DESC LIMIT 50) latest" );
	return $row && $row->people >= 10 && 1 === (int) $row->addresses;
}

/**
 * Ask brigadewatch whether it takes the address and key.
 *
 * @return string What is wrong; empty when it answers.
 */
function test_connection() {
	foreach ( array( 'url', 'key' ) as $name ) {
		if ( '' !== complaint_about( $name, setting( $name ) ) ) {
			return complaint_about( $name, setting( $name ) );
		}
	}
	$answer = call( 'GET', '/v1/targets/' . rawurlencode( scoped( 0 ) ), null, 5.0 );
	if ( 0 === $answer['status'] ) {
		/* translators: %s: an error message. */
		return sprintf( __( 'There is no answer: %s', 'brigadewatch' ), $answer['body'] );
	}
	$said = json_decode( $answer['body'], true );
	if ( 200 === $answer['status'] && isset( $said['recommendation'] ) ) {
		$posted = call( 'POST', '/v1/complaints', '[]', 5.0 ); // Nothing to store: tells whether the key may.
		if ( ! in_array( $posted['status'], array( 401, 403 ), true ) ) {
			return '';
		}
		return __( 'The key may read, but not send reports: it needs the scopes ingest and read.', 'brigadewatch' );
	}
	if ( 401 === $answer['status'] || 403 === $answer['status'] ) {
		/* translators: %s: an error message. */
		return sprintf( __( 'brigadewatch does not take the key: %s', 'brigadewatch' ), isset( $said['detail'] ) ? $said['detail'] : "HTTP {$answer['status']}" );
	}
	/* translators: %s: "HTTP 404". */
	return sprintf( __( 'Somebody answers, but not as brigadewatch does (%s): look at the address.', 'brigadewatch' ), "HTTP {$answer['status']}" );
}

/**
 * Two tests: settings and queue, and the connection.
 *
 * @param array $tests The tests.
 * @return array
 */
function add_health_tests( $tests ) {
	$tests['direct']['brigadewatch'] = array(
		'label' => __( 'Reports of comments', 'brigadewatch' ),
		'test'  => __NAMESPACE__ . '\health_of_settings',
	);
	if ( is_configured() ) {
		$tests['direct']['brigadewatch_connection'] = array(
			'label' => __( 'Connection to brigadewatch', 'brigadewatch' ),
			'test'  => __NAMESPACE__ . '\health_of_connection',
		);
	}
	return $tests;
}

/**
 * The result of the first test.
 *
 * @return array As WordPress asks for it.
 */
function health_of_settings() {
	return health_result( 'brigadewatch', __( 'Reports of comments are counted and sent', 'brigadewatch' ), __( 'Reports of comments need attention', 'brigadewatch' ), warnings() );
}

/**
 * The result of the second test.
 *
 * @return array As WordPress asks for it.
 */
function health_of_connection() {
	return health_result( 'brigadewatch_connection', __( 'brigadewatch answers', 'brigadewatch' ), __( 'brigadewatch cannot be asked', 'brigadewatch' ), array_filter( array( test_connection() ) ) );
}

/**
 * A result.
 *
 * @param string   $test  Name of the test.
 * @param string   $good  Heading when all is well.
 * @param string   $bad   Heading otherwise.
 * @param string[] $found What is wrong.
 * @return array As WordPress asks for it.
 */
function health_result( $test, $good, $bad, $found ) {
	$text = $found ? implode( '</p><p>', array_map( 'esc_html', $found ) ) : esc_html__( 'Before reports hide a comment, brigadewatch is asked how many readers complained independently.', 'brigadewatch' );
	return array(
		'label'       => $found ? $bad : $good,
		'status'      => $found ? 'recommended' : 'good',
		'badge'       => array(
			'label' => __( 'Comments', 'brigadewatch' ),
			'color' => $found ? 'orange' : 'blue',
		),
		'description' => "<p>$text</p>",
		'actions'     => $found ? '<p><a href="' . esc_url( admin_url( 'options-general.php?page=brigadewatch' ) ) . '">' . esc_html__( 'Settings', 'brigadewatch' ) . '</a></p>' : '',
		'test'        => $test,
	);
}

add_filter( 'site_status_tests', __NAMESPACE__ . '\add_health_tests' );
