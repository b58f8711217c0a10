"""Names a network can have: prefixes of files, functions and macros that clash with nothing around them."""

from __future__ import annotations

import re
from typing import Any

from export.csource.names import KEYWORDS
from export.errors import ExportError

PATTERN = r"[a-z][a-z0-9_]{0,30}"
# Headers that `NAME.h` would hide from the rest of a project: ISO C up to C23, POSIX.1-2017, what glibc, newlib and
# compilers add at top level, and those of firmware.
_HEADERS = (
    "assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|stdarg|stdatomic|"
    "stdbit|stdbool|stdckdint|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath|threads|time|uchar|wchar|wctype|"
    "aio|alloca|ar|argp|argz|byteswap|cpio|crypt|devctl|dirent|dlfcn|elf|endian|envlock|envz|err|errno|error|execinfo|"
    "fastmath|fcntl|features|fmtmsg|fnmatch|fstab|fts|ftw|gconv|getopt|glob|grp|gshadow|iconv|ieeefp|ifaddrs|langinfo|"
    "lastlog|libgen|libintl|link|malloc|mcheck|memory|mntent|monetary|mqueue|ndbm|netdb|newlib|nl_types|nss|obstack|"
    "omp|openacc|paths|picolibc|poll|printf|process|pthread|pty|pwd|re_comp|reent|regdef|regex|regexp|resolv|sched|"
    "search|semaphore|sgtty|shadow|spawn|stab|stdfix|stdio_ext|strings|stropts|syscall|sysexits|syslimits|syslog|tar|"
    "termio|termios|thread_db|trace|ttyent|ucontext|ulimit|unctrl|unistd|unwind|utime|utmp|utmpx|values|varargs|wait|"
    "wordexp|[a-z0-9_]*intrin|arm_[a-z0-9_]*|cmsis_[a-z0-9_]*|core_c[a-z0-9_]*|freertos[a-z0-9_]*|stm32[a-z0-9_]*|"
    "system_[a-z0-9_]*|sysmem|syscalls|main|mpu_armv[0-9]+|tz_context|tx_[a-z0-9_]*"
)
# Targets that CMake keeps for itself, libraries that a linker finds by such a name, files that Windows cannot hold.
_PROJECT = (
    "all|clean|edit_cache|help|install|list_install_components|package|package_source|rebuild_cache|test|"
    "c|m|dl|gcc|rt|nosys|stdcxx|aux|con|nul|prn|com[0-9]|lpt[0-9]"
)
# Files that firmware projects, their generators and IDEs have beside a network's, and our own example.
_FIRMWARE = (
    "app|app_[a-z0-9_]*|application|arduino|board|bsp|common|config|configuration|conf|defines|device|example|examples|"
    "firmware|globals|hal|hal_[a-z0-9_]*|hardware|hw|input|output|inputs|outputs|image|images|interrupts?|irq|isr|keras|"
    "log|logger|mx_[a-z0-9_]*|pins|pinout|pins_arduino|platform|print|project|registers|retarget|rtos|setup|sketch|src|"
    "startup|startup_[a-z0-9_]*|syscall|system|tasks?|tests|timer|types|util|utils|vector|vectors|version|wiring|adc|can|"
    "comp|cordic|crc|dac|dcache|dcmi|dfsdm|dma|dma2d|eth|fdcan|flash|fmac|fmc|fsmc|gpdma|gpio|hash|i2c|i2s|icache|iwdg|"
    "lptim|lpuart|ltdc|memorymap|nvic|octospi|opamp|ospi|pcd|pka|pwr|quadspi|ramcfg|rcc|rng|rtc|sai|sdio|sdmmc|spi|tim|"
    "tsc|uart|ucpd|usart|usb|usb_[a-z0-9_]*|wwdg"
)
# Prefixes of the runtime, and names that another network's files and functions can have.
_NETWORKS = r"ka?|ka?_[a-z0-9_]*|[a-z0-9_]*_(run|runtime)|[a-z0-9_]*_[0-9]{2,}(_[a-z0-9_]*)?"
_TAKEN = re.compile(f"{_HEADERS}|{_PROJECT}|{KEYWORDS}|{_FIRMWARE}|{_NETWORKS}")


def check_name(name: Any) -> None:
    """Makes sure a name can be the prefix of C files, functions and macros, beside any other network.

    Raises:
        ExportError: It is no lower-case C identifier of at most 31 characters, or something around a network has it.
    """
    if not isinstance(name, str) or not re.fullmatch(PATTERN, name) or _TAKEN.fullmatch(name):
        raise ExportError(
            "name must be a lower-case C identifier of at most 31 characters, no keyword of C or C++, no usual file of "
            "C or of firmware, no target of CMake, and no name that another network's files have, "
            f"got {name!r}; try name='model'"
        )
