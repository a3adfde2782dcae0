<?php
/**
 * Settings: a constant in wp-config.php, else what the settings page stored, else a default.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const OPTION = 'brigadewatch';

/**
 * Each setting's default and bounds. `when_unreachable` has no default on purpose: only the site can know which is worse.
 *
 * @return array<string, array> By name: default, and least and most for numbers.
 */
function setting_rules() {
	return array(
		'url'              => array( 'default' => '' ),
		'key'              => array( 'default' => '' ),
		'when_unreachable' => array( 'default' => '' ),
		'threshold'        => array(
			'default' => 8,
			'least'   => 1,
			'most'    => 10000,
		),
		'patience'         => array(
			'default' => 300,
			'least'   => 0,
			'most'    => DAY_IN_SECONDS,
		),
		'timeout'          => array(
			'default' => 1.5,
			'least'   => 0.05,
			'most'    => 10,
		),
		'reports_per_hour' => array(
			'default' => 20,
			'least'   => 1,
			'most'    => 100000,
		),
		'address_share'    => array(
			'default' => 25,
			'least'   => 1,
			'most'    => 100,
		),
		'restore'          => array( 'default' => true ),
	);
}

/**
 * The constant that sets a setting in wp-config.php.
 *
 * @param string $name The setting.
 * @return string
 */
function constant_of( $name ) {
	return 'BRIGADEWATCH_' . strtoupper( $name );
}

/**
 * A setting's value: not checked, see problems().
 *
 * @param string $name The setting.
 * @return mixed
 */
function setting( $name ) {
	if ( defined( constant_of( $name ) ) ) {
		return constant( constant_of( $name ) );
	}
	$stored = get_option( OPTION );
	return is_array( $stored ) && isset( $stored[ $name ] ) ? $stored[ $name ] : setting_rules()[ $name ]['default'];
}

/**
 * Whether a value can be used for a setting. It says nothing, so that it can be asked before translations are loaded.
 *
 * @param string $name  The setting.
 * @param mixed  $value The value.
 * @return bool
 */
function is_usable( $name, $value ) {
	$rules = setting_rules()[ $name ];
	switch ( $name ) {
		case 'url':
			return is_string( $value ) && 1 === preg_match( '~^https?://[^\s/?#@]+[^\s?#@]*$~i', $value );
		case 'key':
			return is_string( $value ) && 1 === preg_match( '/^[\x21-\x7e]+$/', $value );
		case 'when_unreachable':
			return in_array( $value, array( 'open', 'closed' ), true );
		case 'restore':
			return is_bool( $value );
		default:
			return ( is_int( $value ) || ( 'timeout' === $name && is_float( $value ) ) ) && $value >= $rules['least'] && $value <= $rules['most'];
	}
}

/**
 * What is wrong with a value for a setting.
 *
 * @param string $name  The setting.
 * @param mixed  $value The value.
 * @return string Empty if it can be used.
 */
function complaint_about( $name, $value ) {
	if ( is_usable( $name, $value ) ) {
		return '';
	}
	switch ( $name ) {
		case 'url':
			return __( 'The address has to be like https://watch.example, without a question mark, # or a password.', 'brigadewatch' );
		case 'key':
			return __( 'The key has to be what the command brigadewatch keys create printed.', 'brigadewatch' );
		case 'when_unreachable':
			return __( "Choose what happens to a comment while brigadewatch gives no answer: 'open' hides it by count as without brigadewatch, 'closed' leaves it up.", 'brigadewatch' );
		case 'restore':
			return __( 'Restoring has to be on (true) or off (false).', 'brigadewatch' );
		case 'timeout':
			/* translators: 1: name of a setting, 2: smallest number, 3: largest number, 4: what was given. */
			$complaint = __( '%1$s has to be a number from %2$s to %3$s, not %4$s.', 'brigadewatch' );
			break;
		default:
			/* translators: 1: name of a setting, 2: smallest number, 3: largest number, 4: what was given. */
			$complaint = __( '%1$s has to be a whole number from %2$s to %3$s, not %4$s.', 'brigadewatch' );
	}
	$rules = setting_rules()[ $name ];
	return sprintf( $complaint, setting_label( $name ), $rules['least'], $rules['most'], is_scalar( $value ) ? (string) $value : gettype( $value ) );
}

/**
 * The name of a setting, as people read it.
 *
 * @param string $name The setting.
 * @return string
 */
function setting_label( $name ) {
	$labels = array(
		'url'              => __( 'Address of brigadewatch', 'brigadewatch' ),
		'key'              => __( 'Key', 'brigadewatch' ),
		'when_unreachable' => __( 'Without an answer', 'brigadewatch' ),
		'threshold'        => __( 'Threshold', 'brigadewatch' ),
		'patience'         => __( 'Longest wait for an answer (seconds)', 'brigadewatch' ),
		'timeout'          => __( 'Longest request (seconds)', 'brigadewatch' ),
		'reports_per_hour' => __( 'Reports an hour from one address', 'brigadewatch' ),
		'address_share'    => __( 'Share of one address (percent)', 'brigadewatch' ),
		'restore'          => __( 'Restore comments', 'brigadewatch' ),
	);
	return $labels[ $name ];
}

/**
 * What keeps the plugin from working.
 *
 * @return string[] Sentences for an administrator; empty when nothing does.
 */
function problems() {
	$found = array();
	foreach ( array_keys( setting_rules() ) as $name ) {
		$complaint = complaint_about( $name, setting( $name ) );
		if ( '' !== $complaint ) {
			$found[] = defined( constant_of( $name ) ) ? constant_of( $name ) . ': ' . $complaint : $complaint;
		}
	}
	if ( ! function_exists( 'curl_init' ) ) {
		$found[] = __( "PHP's curl extension is needed: without it, WordPress cannot keep a timeout below one second.", 'brigadewatch' );
	}
	return $found;
}

/**
 * Whether everything is set: only then are there report buttons. Looked up once a request.
 *
 * @param bool $again Look again, because a setting has changed.
 * @return bool
 */
function is_configured( $again = false ) {
	static $configured = array();
	$blog              = get_current_blog_id();
	if ( $again || ! isset( $configured[ $blog ] ) ) {
		$configured[ $blog ] = function_exists( 'curl_init' );
		foreach ( array_keys( setting_rules() ) as $name ) {
			$configured[ $blog ] = $configured[ $blog ] && is_usable( $name, setting( $name ) );
		}
	}
	return $configured[ $blog ];
}
