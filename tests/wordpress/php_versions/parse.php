<?php
/**
 * Whether this PHP can read the files that are named as arguments: prints its version, and each file that it cannot.
 */

echo PHP_VERSION, "\n";
foreach ( array_slice( $argv, 1 ) as $file ) {
	try {
		token_get_all( file_get_contents( $file ), TOKEN_PARSE );
	} catch ( ParseError $error ) {
		echo "$file:{$error->getLine()}: {$error->getMessage()}\n";
	}
}
