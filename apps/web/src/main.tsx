/** The page's entry: signs in, then shows what the address asks for. */
import '@fontsource-variable/instrument-sans/wght.css'
import './style.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queryClient } from './api/api'
import { App } from './app'
import { signIn } from './session/session'

void signIn()
addEventListener('hashchange', () => void signIn())

const root = document.getElementById('root')
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  )
}
