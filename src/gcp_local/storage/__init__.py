"""Cloud Storage: buckets, objects with generations, uploads; and its JSON API."""
