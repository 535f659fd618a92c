"""Find a browser, or fetch one, and print its path."""

import sys

from . import BrowserMissing, find_browser

try:
    print(find_browser())
except BrowserMissing as missing:
    sys.exit(str(missing))
