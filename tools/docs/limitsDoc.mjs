/** The text of `docs/limits.md`, made from `packages/protocol/src/limits.ts`: its comments are the reasons. */

/** A constant with the comment above it, or the comment that opens a section. */
const ITEM =
  /^\/\/ (?<section>.+)$|^\/\*\*\s*(?<reason>(?:(?!\*\/)[\s\S])+?)\s*\*\/\nexport const (?<name>[A-Z0-9_]+) =/gm

/**
 * @param {string} source - the text of limits.ts. @param {Readonly<Record<string, unknown>>} values - what it exports.
 */
export function limitsDoc(source, values) {
  const lines = []
  for (const { groups } of source.matchAll(ITEM)) {
    if (groups?.section !== undefined)
      lines.push('', `## ${groups.section}`, '', '| limit | value | unit and reason |', '|---|---|---|')
    else if (groups !== undefined) {
      const reason = groups.reason.replace(/\s*\n\s*\*\s*/g, ' ').replaceAll('|', '\\|')
      lines.push(`| \`${groups.name}\` | ${Number(values[groups.name]).toLocaleString('en-US')} | ${reason} |`)
    }
  }
  return `# Limits

Made from \`packages/protocol/src/limits.ts\` by \`node tools/writeDocs.mjs\`; a test keeps the two equal.

A limit on everything: memory that a peer can make us use, time that we wait, names that we store.
${lines.join('\n')}
`
}
