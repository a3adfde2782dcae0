<?php
/**
 * Settings › brigadewatch.
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

/** The page in the menu. */
function add_settings_page() {
	add_options_page( 'brigadewatch', 'brigadewatch', 'manage_options', 'brigadewatch', __NAMESPACE__ . '\show_settings_page' );
}

/** WordPress stores what the page sends, after clean_settings(). */
function register_settings() {
	register_setting(
		'brigadewatch',
		OPTION,
		array(
			'type'              => 'array',
			'sanitize_callback' => __NAMESPACE__ . '\clean_settings',
			'default'           => array(),
		)
	);
}

/**
 * What the page sent, as it is stored. What cannot be used is refused with its reason, and the value before it stays.
 *
 * @param mixed $sent The fields.
 * @return array
 */
function clean_settings( $sent ) {
	$stored = get_option( OPTION );
	$stored = is_array( $stored ) ? $stored : array();
	$sent   = is_array( $sent ) ? $sent : array();
	foreach ( setting_rules() as $name => $rules ) {
		if ( defined( constant_of( $name ) ) || ( 'restore' !== $name && ! isset( $sent[ $name ] ) ) ) {
			continue;
		}
		$value = isset( $sent[ $name ] ) && is_scalar( $sent[ $name ] ) ? $sent[ $name ] : '';
		if ( 'key' === $name && '' === trim( (string) $value ) ) {
			continue; // The field is empty, since the key is not shown again.
		}
		if ( 'restore' === $name ) {
			$value = (bool) $value;
		} elseif ( isset( $rules['least'] ) ) {
			$number = str_replace( ',', '.', trim( (string) $value ) );
			$value  = is_numeric( $number ) ? ( 'timeout' === $name ? (float) $number : ( (string) (int) $number === $number ? (int) $number : $number ) ) : $number;
		} elseif ( is_string( $value ) ) {
			$value = 'url' === $name ? untrailingslashit( trim( $value ) ) : trim( $value );
		}
		$complaint = complaint_about( $name, $value );
		if ( '' === $complaint || ( in_array( $name, array( 'url', 'when_unreachable' ), true ) && '' === $value ) ) {
			$stored[ $name ] = $value;
		} else {
			add_settings_error( OPTION, "brigadewatch_$name", $complaint );
		}
	}
	return $stored;
}

/** After a change, requests do not pause any more, and cron runs. */
function on_settings_changed() {
	is_configured( true );
	delete_transient( PAUSE );
	delete_option( 'brigadewatch_refused' );
	delete_option( 'brigadewatch_forget_refused' );
	ensure_event();
}

/** The page. */
function show_settings_page() {
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	$tested = null;
	if ( isset( $_GET['test'], $_GET['_wpnonce'] ) && wp_verify_nonce( sanitize_key( $_GET['_wpnonce'] ), 'brigadewatch_test' ) ) {
		$tested = test_connection();
	}
	echo '<div class="wrap"><h1>brigadewatch</h1>';
	if ( null !== $tested ) {
		echo '<div class="notice ' . ( '' === $tested ? 'notice-success' : 'notice-error' ) . '"><p>' . esc_html( '' === $tested ? __( 'brigadewatch answers, and takes the key.', 'brigadewatch' ) : $tested ) . '</p></div>';
	}
	if ( ! is_configured() ) {
		echo '<div class="notice notice-warning"><p>' . esc_html__( 'There are no report buttons until everything below is set:', 'brigadewatch' ) . '</p><ul>';
		foreach ( problems() as $problem ) {
			echo '<li>' . esc_html( $problem ) . '</li>';
		}
		echo '</ul></div>';
	}
	echo '<p>' . esc_html__( 'A report button appears under each comment. When enough readers have reported one, brigadewatch is asked how many of them complained independently of each other; only then do reports hide the comment until a moderator decides.', 'brigadewatch' ) . '</p>';
	echo '<form method="post" action="options.php">';
	settings_fields( 'brigadewatch' );
	echo '<table class="form-table" role="presentation">';
	foreach ( array_keys( setting_rules() ) as $name ) {
		show_setting( $name );
	}
	echo '</table>';
	submit_button();
	echo '</form><p><a class="button" href="' . esc_url( wp_nonce_url( admin_url( 'options-general.php?page=brigadewatch&test=1' ), 'brigadewatch_test' ) ) . '">' . esc_html__( 'Test the connection', 'brigadewatch' ) . '</a></p></div>';
}

/**
 * One row of the page.
 *
 * @param string $name The setting.
 */
function show_setting( $name ) {
	$fixed = defined( constant_of( $name ) );
	$value = setting( $name );
	$id    = "brigadewatch-$name";
	$field = OPTION . "[$name]";
	$off   = $fixed ? ' disabled' : '';
	echo '<tr><th scope="row">' . ( 'when_unreachable' === $name ? esc_html( setting_label( $name ) ) : '<label for="' . esc_attr( $id ) . '">' . esc_html( setting_label( $name ) ) . '</label>' ) . '</th><td>';
	if ( 'when_unreachable' === $name ) {
		$choices = array(
			'closed' => __( 'The comment stays up until brigadewatch answers or a moderator decides.', 'brigadewatch' ),
			'open'   => __( 'After the longest wait the comment is hidden by its count, as without brigadewatch.', 'brigadewatch' ),
		);
		echo '<fieldset><legend class="screen-reader-text">' . esc_html( setting_label( $name ) ) . '</legend>';
		foreach ( $choices as $choice => $label ) {
			echo '<label><input type="radio" name="' . esc_attr( $field ) . '" value="' . esc_attr( $choice ) . '"' . checked( $choice, $value, false ) . esc_attr( $off ) . '> ' . esc_html( $label ) . '</label><br>';
		}
		echo '</fieldset>';
	} elseif ( 'restore' === $name ) {
		echo '<label><input type="checkbox" id="' . esc_attr( $id ) . '" name="' . esc_attr( $field ) . '" value="1"' . checked( true === $value, true, false ) . esc_attr( $off ) . '> ' . esc_html__( 'Show a comment again when a moderator restores it in brigadewatch', 'brigadewatch' ) . '</label>';
	} else {
		$type = 'key' === $name ? 'password' : ( 'url' === $name ? 'url' : 'text' );
		$hint = 'key' === $name && is_string( $value ) && '' !== $value ? '••••' . substr( $value, -4 ) : '';
		echo '<input type="' . esc_attr( $type ) . '" ' . ( 'text' === $type ? 'size="8"' : 'class="regular-text"' ) . ' autocomplete="off" id="' . esc_attr( $id ) . '" name="' . esc_attr( $field ) . '" value="' . esc_attr( 'key' === $name ? '' : (string) $value ) . '" placeholder="' . esc_attr( $hint ) . '" aria-describedby="' . esc_attr( $id ) . '-about"' . esc_attr( $off ) . '>';
	}
	/* translators: %s: name of a constant. */
	$source = $fixed ? sprintf( __( 'Set in wp-config.php by %s.', 'brigadewatch' ), constant_of( $name ) ) : '';
	echo '<p class="description" id="' . esc_attr( $id ) . '-about">' . esc_html( about_setting( $name ) ) . ( $fixed ? ' <strong>' . esc_html( $source ) . '</strong>' : '' ) . '</p></td></tr>';
}

/**
 * What a setting does.
 *
 * @param string $name The setting.
 * @return string
 */
function about_setting( $name ) {
	$about = array(
		'url'              => __( 'Where your brigadewatch is, like https://watch.example.', 'brigadewatch' ),
		'key'              => __( 'Printed by the command brigadewatch keys create, with the scopes ingest, read and forget. It is not shown again.', 'brigadewatch' ),
		'when_unreachable' => __( 'What happens to a comment that enough readers reported while brigadewatch gives no answer.', 'brigadewatch' ),
		'threshold'        => __( 'How many people have to report a comment, independently of each other, before it is hidden.', 'brigadewatch' ),
		'patience'         => __( 'How long a comment stays up while there is no answer, or the answer is to wait. After that, the choice above decides.', 'brigadewatch' ),
		'timeout'          => __( 'How long the one report that reaches the threshold may wait for an answer. Nobody else waits.', 'brigadewatch' ),
		'reports_per_hour' => __( 'More reports from the same address are refused for a while.', 'brigadewatch' ),
		'address_share'    => __( 'Reports from one network address count for at most this share of the threshold, so that nobody hides a comment alone.', 'brigadewatch' ),
		'restore'          => '',
	);
	return $about[ $name ];
}

/**
 * The link in the list of plugins.
 *
 * @param string[] $links The links.
 * @return string[]
 */
function add_settings_link( $links ) {
	array_unshift( $links, '<a href="' . esc_url( admin_url( 'options-general.php?page=brigadewatch' ) ) . '">' . esc_html__( 'Settings', 'brigadewatch' ) . '</a>' );
	return $links;
}

add_action( 'admin_menu', __NAMESPACE__ . '\add_settings_page' );
add_action( 'admin_init', __NAMESPACE__ . '\register_settings' );
add_action( 'update_option_' . OPTION, __NAMESPACE__ . '\on_settings_changed' );
add_action( 'add_option_' . OPTION, __NAMESPACE__ . '\on_settings_changed' );
add_filter( 'plugin_action_links_' . plugin_basename( FILE ), __NAMESPACE__ . '\add_settings_link' );
