/** Text as one word of a POSIX shell: as it is where that is safe, else in single quotes (POSIX.1-2017, XCU 2.2.2). */
export const shellQuoted = (text: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
