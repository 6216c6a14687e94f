/** Tables in Markdown, and their place between two markers of a document. */

/**
 * @param {readonly string[]} head @param {readonly (readonly string[])[]} rows - as many cells as the head.
 */
export function markdownTable(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

/**
 * A document with `text` between its markers `<!-- NAME begin -->` and `<!-- NAME end -->`.
 *
 * @param {string} document @param {string} name @param {string} text
 */
export function between(document, name, text) {
  const [begin, end] = [`<!-- ${name} begin -->`, `<!-- ${name} end -->`]
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the document has no markers ${begin} … ${end}`)
  return `${document.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${document.slice(to)}`
}
