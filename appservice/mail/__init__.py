"""Mail in the process: letters out, mails and reports in, and what is known of each."""
