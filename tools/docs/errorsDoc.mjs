/** The text of `docs/errors.md`, made from the tables in `packages/protocol/src/errors.ts`. */

/** What an exit code means, in the order of the numbers. */
const EXIT_MEANINGS = /** @type {const} */ ({
  ok: 'it worked',
  bug: 'a bug in Godwit: please report it with what stderr says',
  usage: 'the command, the code or the request was wrong in itself',
  peer: 'the other side was not found or did not answer in time',
  refused: 'refused: wrong code, declined, cancelled, or the other side broke the rules',
  integrity: 'what arrived is not what was sent',
  localIo: 'reading or writing files on this computer failed',
  network: 'the network does not let the data through',
  setUp: 'Godwit itself could not be set up or started here',
  interrupted: 'ended with Ctrl-C',
})

/**
 * @param {Readonly<Record<string, { message: string, exit: keyof typeof EXIT_MEANINGS, trpc: string, isRetryable: boolean }>>} errors
 * @param {Readonly<Record<keyof typeof EXIT_MEANINGS, number>>} exits
 */
export function errorsDoc(errors, exits) {
  const names = /** @type {(keyof typeof EXIT_MEANINGS)[]} */ (Object.keys(exits))
  const exitRows = names.map((name) => `| ${exits[name]} | ${EXIT_MEANINGS[name]} |`)
  const sections = names
    .map((name) => ({ name, entries: Object.entries(errors).filter(([, entry]) => entry.exit === name) }))
    .filter(({ entries }) => entries.length > 0)
    .map(({ name, entries }) => {
      const rows = entries.map(
        ([code, { message, trpc, isRetryable }]) =>
          `| \`${code}\` | ${message.replaceAll('|', '\\|')} | ${isRetryable ? 'yes' : 'no'} | \`${trpc}\` |`,
      )
      const head = ['| code | what the user reads | retry helps | tRPC |', '|---|---|---|---|']
      return [`## Exit ${exits[name]}: ${EXIT_MEANINGS[name]}`, '', ...head, ...rows, ''].join('\n')
    })
  return `# Errors

Made from \`packages/protocol/src/errors.ts\` by \`node tools/writeDocs.mjs\`; a test keeps the two equal.

Every refusal and operating failure has one of these codes. With \`--json\` a command that fails ends with
\`{"type":"transfer.failed","code":"ERR_…","message":"…"}\` where it follows a transfer (\`send\`, \`receive\`, \`watch\`), else
with \`{"type":"error","code":"ERR_…","message":"…"}\`. An error of the tRPC API carries \`data.godwit\` with \`code\` and
\`message\`, and the HTTP status of the last column. Retry helps: \`godwit retry ID\`, or waiting, may succeed with nothing
else changed.

| exit code | meaning |
|---|---|
${exitRows.join('\n')}

${sections.join('\n')}`
}
