#ifndef NNC_DRIVER_VERSION_H
#define NNC_DRIVER_VERSION_H

#define NNC_VERSION "0.1.0"

#endif
