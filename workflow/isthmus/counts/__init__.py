"""Tables of counts in files, whatever made them."""
