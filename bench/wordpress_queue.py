"""Measure what a report costs in WordPress: storing it, and of that the queue for brigadewatch.

    PYTHONPATH=tests .venv/bin/python bench/wordpress_queue.py [--reports 1000] [--quick]

A real site as in `make wordpress`, which installs what it needs, takes reports by different readers, on a MariaDB
that writes each commit to disk. Without its programs: exit code 3. The bar is .5 ms a report for the queue.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from figures import parser_of, print_machine
from wordpress.programs import SUITES, core, missing, version
from wordpress.servers import BuiltIn, Database
from wordpress.site import Site

_REPORTS = """
    global $wpdb;
    $_SERVER['REMOTE_ADDR'] = '192.0.2.1';
    $comment = get_comment( $id );
    $document = Brigadewatch\\report_document( $comment, 'r', 'm', '', 'abuse', 'It is abusive.' );
    $wpdb->query( 'SET GLOBAL innodb_flush_log_at_trx_commit = 1' );
    $whole = $queue = array();
    for ( $k = 0; $k < $count; $k++ ) {
        $_SERVER['HTTP_USER_AGENT'] = "Reader $k";
        $began = microtime( true );
        Brigadewatch\\take_report( $comment, 'abuse', 'It is abusive.' );
        $whole[] = 1000 * ( microtime( true ) - $began );
        $wpdb->query( 'START TRANSACTION' );
        $began = microtime( true );
        Brigadewatch\\enqueue( 'complaints', $id, $document );  // in a transaction of the report, as it is
        $queue[] = 1000 * ( microtime( true ) - $began );
        $wpdb->query( 'COMMIT' );
    }
    sort( $whole ); sort( $queue );
    $at = function ( $values, $share ) { return $values[ (int) ( $share * ( count( $values ) - 1 ) ) ]; };
    return array( $at( $whole, .5 ), $at( $whole, .95 ), $at( $queue, .5 ), $at( $queue, .95 ) );
"""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--reports", type=int, default=1_000)
    asked = parser.parse_args()
    if absent := missing():
        print(f"missing: {absent} (make wordpress-servers)", file=sys.stderr)
        sys.exit(3)
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "database").mkdir()
        (folder / "site").mkdir()
        database = Database(folder / "database")
        try:
            site = Site(folder / "site", core(SUITES[0]), database, "wp", BuiltIn)
            site.activate()
            site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="closed", threshold=10_000)
            (comment,) = site.comments(site.post())
            count = 100 if asked.quick else asked.reports
            whole, whole_95, queue, queue_95 = site.php(_REPORTS, id=comment, count=count)
            site.end()
        finally:
            database.end()
    print(f"WordPress {version(core(SUITES[0]))}, {count} reports of one comment")
    print(f"storing a report   p50 {whole:.2f} ms   p95 {whole_95:.2f} ms")
    print(f"its queue          p50 {queue:.2f} ms   p95 {queue_95:.2f} ms   (bar .5 ms)")


if __name__ == "__main__":
    main()
