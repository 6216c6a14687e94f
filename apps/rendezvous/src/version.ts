/** Version of this package as `server.info` tells it. */
export const VERSION = '0.1.0'
