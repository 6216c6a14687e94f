/**
 * Calls a node's API from inside that node's network namespace, where alone its loopback address means it. Lines of JSON
 * come in on stdin (`{id, url, token, method, body}`) and go out on stdout (`{id, status, body}` or `{id, error}`).
 */
import { request } from 'node:http'
import { createInterface } from 'node:readline'

const TIMEOUT_MS = 25_000

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, url, token, method, body, timeoutMs = TIMEOUT_MS } = JSON.parse(line)
  const answer = (/** @type {object} */ fields) => process.stdout.write(`${JSON.stringify({ id, ...fields })}\n`)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const call = request(url, { method, headers, agent: false, timeout: timeoutMs }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (part) => {
      text += part
    })
    response.on('end', () => answer({ status: response.statusCode, body: text }))
    response.on('error', (error) => answer({ error: error.message }))
  })
  call.on('timeout', () => call.destroy(new Error('no answer in time')))
  call.on('error', (error) => answer({ error: error.message }))
  call.end(body)
})
