/**
 * Opens the report form in place. Without it, and wherever anything fails, the link leads to the page with the form.
 */
( function () {
	'use strict';
	if ( ! window.fetch || ! window.HTMLDialogElement || ! window.DOMParser ) {
		return;
	}
	var words = window.brigadewatchReport || { close: 'Close', title: 'Report a comment' },
		opening = false;

	function contentOf( html ) {
		return new DOMParser().parseFromString( html, 'text/html' ).getElementById( 'brigadewatch-content' );
	}

	function show( dialog, content ) {
		var body = dialog.querySelector( '.brigadewatch-body' );
		body.replaceChildren.apply( body, Array.from( content.childNodes ).map( function ( node ) {
			return document.importNode( node, true );
		} ) );
		var form = body.querySelector( 'form' ),
			message = body.querySelector( '[role="status"]' );
		if ( message ) { // What is new in a dialog is read out if it has the focus.
			message.tabIndex = -1;
		}
		( message || form.querySelector( 'select' ) ).focus();
		if ( ! form ) {
			return;
		}
		form.addEventListener( 'submit', function ( event ) {
			event.preventDefault();
			var button = form.querySelector( 'button' );
			button.disabled = true;
			fetch( form.action, { method: 'POST', body: new URLSearchParams( new FormData( form ) ), credentials: 'same-origin' } )
				.then( function ( answer ) {
					return answer.text();
				} )
				.then( function ( html ) {
					var next = contentOf( html );
					if ( ! next ) {
						throw new Error( 'no answer' );
					}
					show( dialog, next );
				} )
				.catch( function () {
					button.disabled = false;
					if ( ! dialog.isConnected ) { // It was closed meanwhile, and only a form in the page can be sent.
						document.body.append( dialog );
					}
					form.submit();
				} );
		} );
	}

	function open( link ) {
		if ( opening ) {
			return;
		}
		opening = true;
		fetch( link.href, { credentials: 'same-origin' } )
			.then( function ( answer ) {
				return answer.text();
			} )
			.then( function ( html ) {
				var content = contentOf( html );
				if ( ! content ) {
					throw new Error( 'no form' );
				}
				var dialog = document.createElement( 'dialog' ),
					heading = document.createElement( 'h2' ),
					body = document.createElement( 'div' ),
					close = document.createElement( 'button' );
				dialog.className = 'brigadewatch-dialog';
				heading.id = 'brigadewatch-heading';
				heading.textContent = words.title;
				dialog.setAttribute( 'aria-labelledby', heading.id );
				body.className = 'brigadewatch-body';
				close.type = 'button';
				close.className = 'brigadewatch-close';
				close.textContent = words.close;
				close.addEventListener( 'click', function () {
					dialog.close();
				} );
				dialog.addEventListener( 'close', function () {
					dialog.remove();
					link.focus();
				} );
				dialog.append( heading, body, close );
				document.body.append( dialog );
				dialog.showModal();
				show( dialog, content );
			} )
			.catch( function () {
				window.location.assign( link.href );
			} )
			.then( function () {
				opening = false;
			} );
	}

	document.addEventListener( 'click', function ( event ) {
		var link = event.target.closest && event.target.closest( '.brigadewatch-report a' );
		if ( link && ! event.defaultPrevented && 0 === event.button && ! event.metaKey && ! event.ctrlKey && ! event.shiftKey ) {
			event.preventDefault();
			open( link );
		}
	} );
}() );
