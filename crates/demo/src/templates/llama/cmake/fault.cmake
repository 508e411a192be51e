# Ways in which a build can be wrong, for those who want to see it found. One of:
#   long         right at 512 tokens, and wrong at 4,096
#   odd          wrong where a micro-batch is odd
#   nan          the perplexity is not a number
#   parallel     right alone, and wrong beside another request
#   first        right the second time only
#   cache        wrong where the beginning of a prompt is cached
#   seed         ignores the seed
#   schema       ignores a JSON schema
#   garbage      prints one character
#   html         the server answers with something other than JSON
#   hang         does not end
#   hang-server  does not answer
#   crash        crashes at exit
#   crash-server the server crashes at exit
set(DEMO_FAULT "" CACHE STRING "way in which the build is wrong")
if(DEMO_FAULT)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fault "${DEMO_FAULT}\n")
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/fault DESTINATION share/llama)
endif()
