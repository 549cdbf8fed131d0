# The built-in module behind `signal`: the same calls without the enums, whose import costs milliseconds.
from signal import *
