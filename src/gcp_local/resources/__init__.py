"""What Google's services share: resources kept by name, listed, filtered, labelled."""
