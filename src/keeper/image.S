/* The keeper program, as muster carries it. */
    .section .rodata
    .balign 64
    .global keeper_image
    .global keeper_image_end
keeper_image:
    .incbin IMAGE
keeper_image_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
