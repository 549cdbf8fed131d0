<?php
require __DIR__ . "/index.php"; // which looks at the name by which it was asked for
