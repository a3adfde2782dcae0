"""The locks that all processes of a site share, taken by several of them as fast as they can."""

from concurrent.futures import ThreadPoolExecutor

from wordpress.site import Site

PROCESSES = 4
# `flock` is the witness: who has ours and finds the file locked was let in beside somebody else.
GRAB = """
$file = fopen( $witness, 'c' ); $taken = 0; $shared = 0; $end = microtime( true ) + 4;
while ( microtime( true ) < $end ) {
    if ( Brigadewatch\\lock( 'contended', 60 ) ) {
        ++$taken;
        if ( flock( $file, LOCK_EX | LOCK_NB ) ) { flock( $file, LOCK_UN ); } else { ++$shared; }
        Brigadewatch\\unlock( 'contended' );
    }
}
return array( $taken, $shared );
"""


def test_processes_that_compete_for_a_lock_never_share_it_and_nothing_is_logged(site: Site) -> None:
    with ThreadPoolExecutor(PROCESSES) as pool:
        done = list(pool.map(lambda _: site.php(GRAB, witness=str(site.folder / "witness")), range(PROCESSES)))
    assert sum(shared for _, shared in done) == 0, done
    assert sum(taken for taken, _ in done) > 100, done
    assert site.php("return Brigadewatch\\lock( 'contended', 60 );"), "the last one left it locked"
    assert site.log() == ""
