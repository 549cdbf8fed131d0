<?php
// FastCGI sends its first part when it is flushed.
if (str_ends_with($_SERVER["SCRIPT_FILENAME"], "slow.php")) {
    while (ob_get_level()) ob_end_flush(); // what Debian's php.ini keeps back
    echo "begun\n";
    flush();
    sleep(3);
}
echo "served\n";
