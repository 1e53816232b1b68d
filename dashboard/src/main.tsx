import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { logIn } from '@/api/session'
import { App } from '@/shell/app'
import '@/design/fonts.css'
import '@/design/tokens.css'

void logIn()
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
