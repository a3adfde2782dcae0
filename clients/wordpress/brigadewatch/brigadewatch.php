<?php
/**
 * Plugin Name:       brigadewatch
 * Plugin URI:        https://github.com/brigadewatch/brigadewatch
 * Description:       A report button under each comment. Asks brigadewatch how many readers complained independently before reports hide a comment, and shows moderators who complained together.
 * Version:           1.0.0
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * Author:            The brigadewatch maintainers
 * License:           Apache-2.0
 * License URI:       https://www.apache.org/licenses/LICENSE-2.0
 * Text Domain:       brigadewatch
 * Domain Path:       /languages
 *
 * @package Brigadewatch
 */

namespace Brigadewatch;

defined( 'ABSPATH' ) || exit;

const VERSION = '1.0.0';
const FILE    = __FILE__;

foreach ( array( 'settings', 'tables', 'people', 'locks', 'http', 'queue', 'reports', 'link', 'report-page', 'assessment', 'decisions', 'restorations', 'mail', 'privacy', 'cron' ) as $brigadewatch_part ) {
	require_once __DIR__ . "/includes/$brigadewatch_part.php";
}
if ( is_admin() || wp_doing_cron() || ( defined( 'WP_CLI' ) && WP_CLI ) ) {
	foreach ( array( 'comment-list', 'dashboard', 'export', 'settings-page', 'site-health' ) as $brigadewatch_part ) {
		require_once __DIR__ . "/admin/$brigadewatch_part.php";
	}
}
if ( defined( 'WP_CLI' ) && WP_CLI ) {
	require_once __DIR__ . '/includes/cli.php';
}
unset( $brigadewatch_part );
